# Completion of pgherd for bash 4 and later; printed by `pgherd completion bash`.
# It needs nothing else: the package bash-completion only makes it load by itself.

_pgherd() {
  local IFS=$' \t\n' word glued separator reply line current program=pgherd prefix='' files='' open='' index
  local -a typed=() candidates=()
  COMPREPLY=()

  # bash splits words at some of the characters in COMP_WORDBREAKS too: --format=json and unix:///run are put together.
  line=${COMP_LINE:0:COMP_POINT}
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    glued=''
    if ((index > 0)) && [[ $line != [[:space:]]* ]]; then
      separator=${COMP_WORDS[index - 1]}
      [[ $word == [=:@]* || $separator == *[=:@] ]] && glued=yes
    fi
    line=${line#"${line%%[![:space:]]*}"}
    # The cursor may stand within the last word: what follows it is not completed.
    ((index == COMP_CWORD)) && word=${line:0:${#word}}
    line=${line#"$word"}
    if [[ $glued ]]; then typed[${#typed[@]} - 1]+=$word; else typed+=("$word"); fi
  done
  # readline puts the quotes back by itself.
  current=${typed[${#typed[@]} - 1]}
  case $current in
    [\"\']*) current=${current:1} ;;
    *) current=${current//\\/} ;;
  esac

  # One that is called by its path completes by itself.
  [[ ${typed[0]} == */* ]] && program=${typed[0]/#'~/'/"$HOME/"}
  reply=$("$program" __complete --quoted -- "${typed[@]}" 2>/dev/null </dev/null) || return 0

  while IFS= read -r line; do
    case $line in
      '') ;;
      ':prefix '*) prefix=${line#:prefix } ;;
      ':files '*) files=${line#:files } ;;
      ':open') open=yes ;;
      *) candidates+=("${line%%$'\t'*}") ;;
    esac
  done <<<"$reply"

  for word in ${candidates[@]+"${candidates[@]}"}; do
    [[ $prefix$word == "$current"* ]] && COMPREPLY+=("$prefix$word")
  done
  [[ $open ]] && compopt -o nospace 2>/dev/null

  # readline replaces what follows the last character it splits at, so that is all it may be given.
  separator=''
  if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then separator=${current%"${current##*=}"}; fi
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    word=${current%"${current##*:}"}
    ((${#word} > ${#separator})) && separator=$word
  fi
  for index in ${COMPREPLY[@]+"${!COMPREPLY[@]}"}; do COMPREPLY[index]=${COMPREPLY[index]#"$separator"}; done

  [[ $files ]] && _pgherd_files "$files" "${current#"$separator"}"
  return 0
}

# Adds the files or folders that begin so; a file that cannot be a topology is left out where one is wanted.
_pgherd_files() {
  local IFS=$'\n' path
  compopt -o filenames 2>/dev/null
  for path in $(compgen -d -- "$2"); do COMPREPLY+=("$path"); done
  [[ $1 == folders ]] && return
  for path in $(compgen -f -- "$2"); do
    [[ -d ${path/#'~/'/"$HOME/"} ]] && continue
    [[ $1 == files || $path == *.yaml || $path == *.yml || $path == *.json ]] && COMPREPLY+=("$path")
  done
}

complete -F _pgherd pgherd
