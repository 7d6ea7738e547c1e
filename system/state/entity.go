package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
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
