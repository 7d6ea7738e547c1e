# bash completion for skupper

_skupper() {
    local cur line word glue= prefix=
    local -a words=()
    COMPREPLY=()
    # What is typed as --flag=value comes in three words where "=" breaks words.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ -n $glue || $word == "=" ]] && (( ${#words[@]} )); then
            words[${#words[@]}-1]+="$word"
        else
            words+=("$word")
        fi
        [[ $word == "=" ]] && glue=yes || glue=
    done
    cur="${COMP_WORDS[COMP_CWORD]}"
    word="${words[${#words[@]}-1]}"
    if [[ $word != "$cur" ]]; then
        prefix="${word%%=*}=" cur="${word#*=}"
    fi
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
            return
        fi
        line="${line%%$'\t'*}"
        line="${line#"$prefix"}"
        [[ $line == "$cur"* ]] && COMPREPLY+=("$line")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}

complete -F _skupper skupper
