package forward

import (
	"slices"
	"strings"
)

// Class says what kind of address a Key names.
type Class byte

// Classes of addresses, compat: the first character of skupper-router's hash
// keys, which is also how they stand in MAU and in edge tracking.
const (
	ClassMobile      Class = 'M' // an address of the network, wherever its destinations are
	ClassLocal       Class = 'L' // inside this router
	ClassTopological Class = 'T' // the same inside all routers
	ClassRouter      Class = 'R' // whatever is inside another router
	ClassEdge        Class = 'H' // whatever is inside an edge router
	ClassArea        Class = 'A' // another area
	ClassNetwork     Class = 'N' // another network
)

// Key is an address as tables know it.
type Key struct {
	Class Class
	Name  string
}

// ParseKey reads the text form of a key, "Mweb" for the mobile address "web".
// It reports whether the class is one that other routers announce.
func ParseKey(text string) (Key, bool) {
	if len(text) < 2 {
		return Key{}, false
	}
	k := Key{Class: Class(text[0]), Name: text[1:]}
	return k, k.Announced()
}

// String is the text form.
func (k Key) String() string { return string(rune(k.Class)) + k.Name }

// Announced tells whether routers tell each other about addresses of the class.
func (k Key) Announced() bool {
	return k.Class == ClassMobile || k.Class == ClassEdge || k.Class == ClassNetwork
}

// Uplink is the key under which an edge router keeps its connection to the
// network: every address that is not its own leads there.
func Uplink() Key { return Key{ClassLocal, "_edge"} }

// Names turns the text of addresses into keys. It is a value that says from
// where: the same text means something else in another router.
type Names struct {
	ID      string   // of this router
	Edge    bool     // it is an edge router
	Network string   // its network, empty if none is set (Skupper sets none)
	Peers   []string // of an edge router: edge routers connected to it directly
}

// Key returns the key of an address as it stands in a message or terminus. It
// allocates nothing; the name is a part of text.
//
// compat: skupper-router 3.x, iterator.c, view_initialize and
// parse_address_view.
func (n *Names) Key(text string) Key {
	text = withoutHost(text)
	if i := len(text) - 1; i >= 0 && (text[i] == '/' || text[i] == '.') {
		text = text[:i]
	}
	if rest, ok := strings.CutPrefix(text, "_local/"); ok {
		return Key{ClassLocal, rest}
	}
	for _, form := range [...]struct {
		prefix          string
		network, routed bool
	}{
		{"_topo/", false, true},
		{"_xtopo/", true, true},
		{"_edge/", false, false},
		{"_xedge/", true, false},
	} {
		rest, ok := strings.CutPrefix(text, form.prefix)
		if !ok {
			continue
		}
		if form.network {
			net, inside, _ := strings.Cut(rest, "/")
			if n.Network != "" && net != n.Network && net != "0" {
				return n.upOr(Key{ClassNetwork, net})
			}
			rest = inside
		}
		if form.routed {
			return n.topological(rest)
		}
		return n.edge(rest)
	}
	return Key{ClassMobile, text}
}

// topological reads what follows "_topo/".
func (n *Names) topological(rest string) Key {
	area, rest, _ := strings.Cut(rest, "/")
	if area != "0" && area != "all" {
		return n.upOr(Key{ClassArea, area})
	}
	id, name, inside := strings.Cut(rest, "/")
	switch {
	case inside && id == "all":
		return Key{ClassTopological, name}
	case inside && id == n.ID:
		return Key{ClassLocal, name}
	}
	return n.upOr(Key{ClassRouter, id})
}

// edge reads what follows "_edge/".
func (n *Names) edge(rest string) Key {
	id, name, inside := strings.Cut(rest, "/")
	switch {
	case inside && id == n.ID:
		return Key{ClassLocal, name}
	case n.Edge && slices.Contains(n.Peers, id):
		return Key{ClassEdge, id}
	}
	return n.upOr(Key{ClassEdge, id})
}

// upOr is the key in an interior router; an edge router sends it up.
func (n *Names) upOr(k Key) Key {
	if n.Edge {
		return Uplink()
	}
	return k
}

// withoutHost removes "amqp://host/", "amqp:/", "//host/" and "/" from the
// front. What only looks like it is left whole.
func withoutHost(text string) string {
	rest := text
	if !strings.HasPrefix(text, "/") {
		at := schemeEnd(text)
		if at < 0 {
			return text
		}
		rest = text[at:]
	}
	// rest begins with the slash behind the scheme.
	if len(rest) < 2 {
		return text
	}
	if rest[1] != '/' {
		return rest[1:]
	}
	if _, path, ok := strings.Cut(rest[2:], "/"); ok {
		return path
	}
	return text
}

// schemeEnd is where the slash of the first ":/" stands, -1 if there is none.
// A colon at the start or behind a colon does not count.
func schemeEnd(text string) int {
	for i := 1; i+1 < len(text); i++ {
		if text[i] == ':' {
			if i++; text[i] == '/' {
				return i
			}
		}
	}
	return -1
}
