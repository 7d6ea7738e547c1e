# bash completion for skupper

_skupper() {
    local cur line words
    COMPREPLY=()
    cur="${COMP_WORDS[COMP_CWORD]}"
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
            return
        fi
        line="${line%%$'\t'*}"
        [[ $line == "$cur"* ]] && COMPREPLY+=("$line")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}

complete -F _skupper skupper
