package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/state"
)

// entities tells what the router will do about a new configuration. One that
// cannot be read has no entities: it is overwritten anyway.
func (p *planner) entities(have, want []byte) {
	old, now, err := state.Difference(have, want)
	if err != nil {
		old = nil
		now, _ = state.Entities(want)
	}
	before := make(map[string]state.Entity, len(old))
	for _, e := range old {
		before[e.Key()] = e
	}
	var removed []Step
	for _, e := range now {
		was, ok := before[e.Key()]
		delete(before, e.Key())
		switch {
		case !ok:
			p.add(Step{Op: Add, Subject: spoken(e), Counted: counted(e)})
		case !maps.Equal(was.Attrs, e.Attrs):
			p.add(Step{Op: Change, Subject: title(e), Detail: difference(was, e), Counted: counted(e), Drops: p.have.Losses[e.Key()]})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		e := before[key]
		removed = append(removed, Step{Op: Remove, Subject: title(e), Counted: counted(e), Drops: p.have.Losses[key]})
	}
	p.steps = append(p.steps, removed...)
}

// counted reports whether people think of the entity as a thing of its own.
func counted(e state.Entity) bool {
	switch e.Type {
	case "tcpListener", "tcpConnector", "connector", "listener":
		return true
	}
	return false
}

// title names an entity in the words of its resource: "listener/db".
func title(e state.Entity) string {
	switch e.Type {
	case "tcpListener":
		if name, ok := strings.CutPrefix(e.Name, "multiAddress/"); ok {
			return "multikeylistener/" + name
		}
		return e.Name
	case "tcpConnector":
		name, _, _ := strings.Cut(e.Name, "@")
		return name
	case "connector":
		return "link/" + e.Name
	case "listener":
		return "router access " + e.Name
	case "listenerAddress":
		return "routing key " + e.Name
	case "sslProfile":
		return "TLS profile " + e.Name
	case "proxyProfile":
		return "proxy profile " + e.Name
	}
	return strings.TrimSpace(e.Type + " " + e.Name)
}

// spoken is a title with what matters of a new entity.
func spoken(e state.Entity) string {
	at := address(e.Attrs["host"], e.Attrs["port"])
	switch e.Type {
	case "tcpListener":
		if key := e.Attrs["address"]; key != "" {
			return fmt.Sprintf("%s on %s for %s", title(e), at, key)
		}
		return fmt.Sprintf("%s on %s", title(e), at)
	case "tcpConnector":
		return fmt.Sprintf("%s to %s for %s", title(e), at, e.Attrs["address"])
	case "connector":
		return fmt.Sprintf("%s to %s, cost %s", title(e), at, cmp.Or(e.Attrs["cost"], "1"))
	case "listener":
		return fmt.Sprintf("%s on %s", title(e), at)
	}
	return title(e)
}

func address(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return cmp.Or(host, "*") + ":" + port
}

// difference lists the attributes that change, but shows no password.
func difference(was, is state.Entity) string {
	var list []string
	keys := maps.Clone(was.Attrs)
	maps.Copy(keys, is.Attrs)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		a, b := was.Attrs[k], is.Attrs[k]
		switch {
		case a == b:
		case strings.Contains(strings.ToLower(k), "password"):
			list = append(list, k)
		default:
			list = append(list, fmt.Sprintf("%s %s becomes %s", k, orNone(a), orNone(b)))
		}
	}
	return strings.Join(list, ", ")
}

func orNone(v string) string { return cmp.Or(v, "unset") }
