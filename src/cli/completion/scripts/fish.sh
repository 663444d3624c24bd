# Completion of pgherd for fish 3 and later; printed by `pgherd completion fish`.

function __pgherd_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program pgherd
    # One that is called by its path completes by itself.
    string match -q '*/*' -- $typed[1]; and set program (string replace -r '^~/' "$HOME/" -- $typed[1])
    type -q -- $program; or return

    set -l candidates
    set -l prefix
    set -l files
    for line in ($program __complete -- $typed "$current" 2>/dev/null </dev/null)
        switch $line
            case ':prefix *'
                set prefix (string sub -s 9 -- $line)
            case ':files *'
                set files (string sub -s 8 -- $line)
            case ':open'
                # fish itself leaves out the space only where a candidate ends so; a comma takes it back.
            case '*'
                set -a candidates $line
        end
    end
    for candidate in $candidates
        printf '%s%s\n' $prefix $candidate
    end
    test -n "$files"; and __pgherd_files $files "$prefix" (string replace -- "$prefix" '' "$current")
end

# The files or folders that begin so; a file that cannot be a topology is left out where one is wanted.
function __pgherd_files --argument-names kind prefix begun
    for path in (complete -C "__pgherd_no_such_command $begun")
        set -l name (string split -f1 \t -- $path)
        switch $kind
            case folders
                string match -q '*/' -- $name; or continue
            case topologies
                string match -qr '(/|\.yaml|\.yml|\.json)$' -- $name; or continue
        end
        printf '%s%s\n' "$prefix" $path
    end
end

complete -c pgherd -e
complete -c pgherd -f -a '(__pgherd_complete)'
