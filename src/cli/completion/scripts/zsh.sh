#compdef pgherd
# Completion of pgherd for zsh; printed by `pgherd completion zsh`.

_pgherd() {
  local program=pgherd line prefix='' files='' open='' text description
  local -a typed replies candidates spacing

  typed=("${(@Q)words[1,CURRENT]}")
  # The cursor may stand within the last word: what follows it is not completed.
  typed[-1]=${(Q)PREFIX}
  # One that is called by its path completes by itself.
  [[ $typed[1] == */* ]] && program=${typed[1]/#\~\//$HOME/}
  replies=("${(@f)$("$program" __complete -- "${typed[@]}" 2>/dev/null </dev/null)}")

  for line in $replies; do
    case $line in
      ':prefix '*) prefix=${line#:prefix } ;;
      ':files '*) files=${line#:files } ;;
      ':open') open=yes ;;
      *)
        text=${${line%%$'\t'*}//:/\\:}
        description=''
        [[ $line == *$'\t'* ]] && description=":${line#*$'\t'}"
        candidates+=("$text$description")
        ;;
    esac
  done

  # What stands before the value is kept as it is typed, quotes and all.
  if [[ -n $prefix ]]; then
    if [[ $prefix == *, ]]; then compset -P '*,'; else compset -P 1 '*='; fi
  fi

  [[ -n $open ]] && spacing=(-S '')
  case $files in
    topologies) _files -g '*.(yaml|yml|json)(-.)' ;;
    files) _files ;;
    folders) _files -/ ;;
    *) (($#candidates)) && _describe -t values pgherd candidates "${spacing[@]}" ;;
  esac
}

# Loaded by compinit from a folder of $fpath this file is the function itself; sourced, it is declared here.
if [[ $funcstack[1] == _pgherd ]]; then
  _pgherd "$@"
elif (($+functions[compdef])); then
  compdef _pgherd pgherd
else
  print -u2 'pgherd: completion needs compinit: autoload -U compinit && compinit'
fi
