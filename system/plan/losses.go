package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/state"
)

// maxNamed is how many services a step names that lose connections.
const maxNamed = 4

// dropped says how many connections a step ends and whose they are: those of a
// service before those of other sites, most first. It is empty if there are none.
func dropped(subject string, losses state.Losses) string {
	n := total(losses)
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("drops %d connections", n)
	if n == 1 {
		text = "drops 1 connection"
	}
	var parts []string
	part := func(n int64, whose string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s", n, whose))
		}
	}
	services := slices.DeleteFunc(slices.Collect(maps.Keys(losses)), func(key string) bool { return key == "" })
	slices.SortFunc(services, func(a, b string) int {
		return cmp.Or(cmp.Compare(losses[b], losses[a]), cmp.Compare(a, b))
	})
	named := services[:min(len(services), maxNamed)]
	rest := n - losses[""]
	for _, key := range named {
		part(losses[key], titleOf(key))
		rest -= losses[key]
	}
	part(rest, "other services")
	part(losses[""], "other sites")
	switch {
	case len(parts) > 1:
		text += ": " + strings.Join(parts, ", ")
	case parts[0] != fmt.Sprintf("%d of %s", n, subject): // whose own they are not
		_, whose, _ := strings.Cut(parts[0], " ")
		text += " " + whose
	}
	return " (" + text + ")"
}

func total(losses state.Losses) (n int64) {
	for _, count := range losses {
		n += count
	}
	return n
}

// titleOf is the title of the entity that a key names.
func titleOf(key string) string {
	typ, name, _ := strings.Cut(key, "/")
	return title(state.Entity{Type: typ, Name: name})
}
