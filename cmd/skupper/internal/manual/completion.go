package manual

import (
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// Shells lists the shells that Completion knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion is the completion script for a shell, "" for an unknown one. The
// scripts hold no words: they ask `program __complete -- words...`, which
// prints one candidate a line, with a tab and what it means, or ":files" for
// file names.
func Completion(shell, program string) string {
	text := map[string]string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	return strings.ReplaceAll(text, "PROGRAM", program)
}

const bash = `# bash completion for PROGRAM

_PROGRAM() {
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

complete -F _PROGRAM PROGRAM
`

const zsh = `#compdef PROGRAM

_PROGRAM() {
    local -a candidates
    local line
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            _files
            return
        fi
        line="${line//:/\\:}"
        candidates+=("${line/$'\t'/:}")
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe PROGRAM candidates
}

compdef _PROGRAM PROGRAM
`

const fish = `# fish completion for PROGRAM

function __PROGRAM_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l out ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test "$out[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $out
    end
end

complete -c PROGRAM -f -a '(__PROGRAM_complete)'
`

// Word is a candidate for completion.
type Word struct{ Text, Meaning string }

// String is the word as the scripts read it.
func (w Word) String() string {
	if w.Meaning == "" {
		return w.Text
	}
	return w.Text + "\t" + w.Meaning
}

// Candidates proposes the last of words, given the ones before it: commands,
// flags, the choices of a flag's value, or names that lookup finds. files is
// set where a file name is due.
func Candidates(root *command.Command, words []string, lookup func(command.Source, *command.Parsed) []string) (list []Word, files bool) {
	if len(words) == 0 {
		words = []string{""}
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	parsed, _ := command.Parse(root, before, nil)
	c := parsed.Command()
	if f, value := pendingFlag(root, c, before, last); f != nil {
		return values(f, value, parsed, lookup)
	}
	if strings.HasPrefix(last, "-") {
		return flagWords(root, c), false
	}
	if len(c.Commands) > 0 {
		for _, child := range c.Commands {
			if !child.Hidden {
				list = append(list, Word{child.Name, child.Summary})
			}
		}
		return list, false
	}
	n := len(parsed.Args)
	for i, a := range c.Args {
		if i == n || i < n && a.Repeat {
			return sourceWords(a.Source, parsed, lookup)
		}
	}
	return nil, false
}

// pendingFlag is the flag whose value is being typed, and what precedes the
// value in the same word.
func pendingFlag(root, c *command.Command, before []string, last string) (f *command.Flag, prefix string) {
	if name, _, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "--") {
		return lookupFlag(root, c, name), name + "="
	}
	if len(before) > 0 {
		if f := lookupFlag(root, c, before[len(before)-1]); f != nil && f.TakesValue() {
			return f, ""
		}
	}
	return nil, ""
}

func lookupFlag(root, c *command.Command, typed string) *command.Flag {
	for _, list := range [][]command.Flag{c.Flags, root.Flags} {
		for i := range list {
			if typed == "--"+list[i].Name || list[i].Short != "" && typed == "-"+list[i].Short {
				return &list[i]
			}
		}
	}
	return nil
}

func values(f *command.Flag, prefix string, parsed *command.Parsed, lookup func(command.Source, *command.Parsed) []string) ([]Word, bool) {
	var list []Word
	for _, v := range f.Choices {
		list = append(list, Word{Text: prefix + v})
	}
	if len(list) > 0 {
		return list, false
	}
	found, files := sourceWords(f.Source, parsed, lookup)
	for _, w := range found {
		list = append(list, Word{Text: prefix + w.Text})
	}
	return list, files
}

func sourceWords(s command.Source, parsed *command.Parsed, lookup func(command.Source, *command.Parsed) []string) (list []Word, files bool) {
	switch s {
	case command.NoWords:
		return nil, false
	case command.Files:
		return nil, true
	default:
		for _, name := range lookup(s, parsed) {
			list = append(list, Word{Text: name})
		}
		return list, false
	}
}

func flagWords(root, c *command.Command) []Word {
	var list []Word
	flags := c.Flags
	if c != root {
		flags = append(append([]command.Flag{}, c.Flags...), root.Flags...)
	}
	for _, f := range flags {
		if !f.Hidden {
			list = append(list, Word{"--" + f.Name, f.Usage})
		}
	}
	return list
}

// Check looks for what a table must not lack: a summary everywhere, a usage
// text for each flag, an example for each command. It returns one line for
// each lack.
func Check(root *command.Command) []string {
	var lacks []string
	root.Walk(func(path []string, c *command.Command) {
		name := strings.Join(path, " ")
		if c.Summary == "" {
			lacks = append(lacks, name+": no summary")
		}
		if c.Run != nil && !c.Hidden && !c.Raw {
			if len(c.Examples) < 2 {
				lacks = append(lacks, fmt.Sprintf("%s: %d examples, at least 2 are expected", name, len(c.Examples)))
			}
			if c.Text == "" {
				lacks = append(lacks, name+": no description")
			}
		}
		for _, f := range c.Flags {
			if f.Usage == "" {
				lacks = append(lacks, fmt.Sprintf("%s: flag --%s has no usage text", name, f.Name))
			}
		}
	})
	return lacks
}
