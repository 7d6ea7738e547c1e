package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Entity is one entry of a router's configuration: a type, and attributes as
// they are written.
type Entity struct {
	Type  string
	Name  string
	Attrs map[string]string
}

// Key names the entity within its configuration: "tcpListener/listener/db".
func (e Entity) Key() string { return e.Type + "/" + e.Name }

// maxEntities bounds what is read of one configuration.
const maxEntities = 1 << 20

// Entities takes a router's configuration apart: a JSON array of pairs, a type
// and an object of attributes. The result is sorted by key. An entity without a
// name gets that of what makes it unique: its module, its prefix, or its
// position.
func Entities(config []byte) ([]Entity, error) {
	if len(config) == 0 {
		return nil, nil
	}
	var pairs []json.RawMessage
	if err := json.Unmarshal(config, &pairs); err != nil {
		return nil, fmt.Errorf("router configuration: %w", err)
	}
	if len(pairs) > maxEntities {
		return nil, fmt.Errorf("router configuration: %d entities, at most %d are read", len(pairs), maxEntities)
	}
	list := make([]Entity, 0, len(pairs))
	for i, raw := range pairs {
		e, err := parseEntity(raw, i)
		if err != nil {
			return nil, fmt.Errorf("router configuration: entity %d: %w", i+1, err)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entity) int { return cmp.Compare(a.Key(), b.Key()) })
	return list, nil
}

// Difference returns the entities of two configurations, each list sorted by
// key, without those that both have in the same words. Of thousands mostly a
// few differ, and no more is read; only where a configuration is not laid out as
// routers' configurations are written, nothing is left out.
func Difference(was, is []byte) (before, after []Entity, err error) {
	old, now := pieces(unlike(was, is))
	common := make(map[string]int, len(old))
	for _, p := range old {
		common[p]++
	}
	after, ok := apart(now, common)
	if ok {
		clear(common)
		for _, p := range now {
			common[p]++
		}
		before, ok = apart(old, common)
	}
	if ok {
		return before, after, nil
	}
	if before, err = Entities(was); err != nil {
		return nil, nil, err
	}
	after, err = Entities(is)
	return before, after, err
}

// pieceMark begins an entity in a configuration as routers' configurations are
// written, with four blanks of indentation. No string can hold it, and nothing
// that is nested deeper.
const pieceMark = "\n    [\n"

// unlike returns two configurations without the entities that both begin and end
// with. Of thousands that leaves a few.
func unlike(was, is []byte) (before, after []byte) {
	limit := min(len(was), len(is))
	prefix := 0
	for prefix < limit && was[prefix] == is[prefix] {
		prefix++
	}
	start := bytes.LastIndex(was[:prefix], []byte(pieceMark))
	if start < 0 {
		return was, is
	}
	limit -= start
	suffix := 0
	for suffix < limit && was[len(was)-1-suffix] == is[len(is)-1-suffix] {
		suffix++
	}
	rest := len(was) - suffix
	if i := bytes.Index(was[rest:], []byte(pieceMark)); i >= 0 {
		suffix -= i
		was, is = was[:len(was)-suffix], is[:len(is)-suffix]
	}
	return slices.Concat([]byte("["), was[start:]), slices.Concat([]byte("["), is[start:])
}

// pieces splits configurations between their entities.
func pieces(a, b []byte) (as, bs []string) { return piecesOf(a), piecesOf(b) }

func piecesOf(config []byte) []string {
	text, _ := strings.CutSuffix(strings.TrimSpace(string(config)), "\n]")
	list := strings.Split(text, pieceMark)
	for i := range list[1:] {
		list[i+1] = strings.TrimSuffix(list[i+1], ",")
	}
	return list
}

// apart parses the pieces that are not among others. It is not ok where they
// turn out not to be entities.
func apart(list []string, others map[string]int) (entities []Entity, ok bool) {
	if list[0] != "[" && list[0] != "" {
		return nil, false
	}
	for i, p := range list[1:] {
		if others[p] > 0 {
			others[p]--
			continue
		}
		e, err := parseEntity(json.RawMessage("["+p), i)
		if err != nil {
			return nil, false
		}
		entities = append(entities, e)
	}
	slices.SortStableFunc(entities, func(a, b Entity) int { return cmp.Compare(a.Key(), b.Key()) })
	return entities, true
}

func parseEntity(raw json.RawMessage, position int) (Entity, error) {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil {
		return Entity{}, err
	}
	e := Entity{Attrs: make(map[string]string)}
	if err := json.Unmarshal(pair[0], &e.Type); err != nil {
		return Entity{}, err
	}
	var attrs map[string]json.RawMessage
	if err := json.Unmarshal(pair[1], &attrs); err != nil {
		return Entity{}, err
	}
	for k, v := range attrs {
		var text string
		if json.Unmarshal(v, &text) != nil {
			var compact bytes.Buffer
			if err := json.Compact(&compact, v); err != nil {
				return Entity{}, err
			}
			text = compact.String()
		}
		e.Attrs[k] = text
	}
	switch e.Type {
	case "router", "site": // there is one
	case "log":
		e.Name = e.Attrs["module"]
	case "address":
		e.Name = cmp.Or(e.Attrs["name"], e.Attrs["prefix"], e.Attrs["pattern"])
	default:
		e.Name = cmp.Or(e.Attrs["name"], strconv.Itoa(position))
	}
	return e, nil
}
