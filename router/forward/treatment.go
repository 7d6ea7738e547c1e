package forward

import (
	"fmt"
	"strings"
)

// Treatment says to which of its destinations a message for an address goes.
type Treatment int8

// Treatments, compat: the numbers are those of MAU.
const (
	Unsaid      Treatment = -1 // whoever is asked does not say
	Flood       Treatment = 0  // to all; only routing messages
	Multicast   Treatment = 1  // to all, once each
	Closest     Treatment = 2  // to one of the nearest
	Balanced    Treatment = 3  // to the one with the least to do
	Unavailable Treatment = 4  // to nobody
)

func (t Treatment) String() string {
	switch t {
	case Unsaid:
		return "unsaid"
	case Flood, Multicast:
		return "multicast"
	case Closest:
		return "closest"
	case Balanced:
		return "balanced"
	case Unavailable:
		return "unavailable"
	}
	return fmt.Sprintf("Treatment(%d)", int8(t))
}

// Rule configures addresses by pattern.
type Rule struct {
	// Pattern is tokens separated by "/" or ".". "*" stands for one token,
	// "#" for none or more. With Prefix it needs no "#" at its end.
	Pattern   string
	Prefix    bool
	Treatment Treatment
	Priority  int // of messages, 0 to 9; -1 leaves it to them
}

// rules is the tree of the tokens of all patterns. Where several match, a
// token that is spelled out wins over "*", and "*" over "#", from left to
// right (skupper-router 3.x, parse_tree.c).
type rules struct {
	rule  *Rule // of the pattern that ends here
	exact map[string]*rules
	any   *rules // behind "*"
	rest  *rules // behind "#"
}

func newRules(list []Rule) *rules {
	root := new(rules)
	for i := range list {
		r := &list[i]
		pattern := r.Pattern
		if r.Prefix {
			pattern = strings.TrimRight(pattern, "/.") + "/#"
		}
		root.insert(normalized(tokens(pattern)), r)
	}
	return root
}

// tokens splits an address or pattern.
func tokens(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '.' })
}

// normalized puts "*" before "#" and makes one of several "#".
func normalized(pattern []string) []string {
	var out []string
	for _, t := range pattern {
		switch last := len(out) - 1; {
		case last >= 0 && out[last] == "#" && t == "#":
		case last >= 0 && out[last] == "#" && t == "*":
			out[last] = "*"
			out = append(out, "#")
		default:
			out = append(out, t)
		}
	}
	return out
}

func (r *rules) insert(pattern []string, rule *Rule) {
	if len(pattern) == 0 {
		r.rule = rule
		return
	}
	next := &r.any
	switch t := pattern[0]; t {
	case "*":
	case "#":
		next = &r.rest
	default:
		if r.exact == nil {
			r.exact = map[string]*rules{}
		}
		if r.exact[t] == nil {
			r.exact[t] = new(rules)
		}
		r.exact[t].insert(pattern[1:], rule)
		return
	}
	if *next == nil {
		*next = new(rules)
	}
	(*next).insert(pattern[1:], rule)
}

// match returns the rule for an address, nil if there is none.
func (r *rules) match(address string) *Rule { return r.find(tokens(address)) }

func (r *rules) find(rest []string) *Rule {
	if len(rest) == 0 {
		if r.rule != nil {
			return r.rule
		}
		if r.rest != nil {
			return r.rest.find(nil)
		}
		return nil
	}
	if next := r.exact[rest[0]]; next != nil {
		if found := next.find(rest[1:]); found != nil {
			return found
		}
	}
	if r.any != nil {
		if found := r.any.find(rest[1:]); found != nil {
			return found
		}
	}
	if r.rest != nil {
		for skip := range len(rest) + 1 {
			if found := r.rest.find(rest[skip:]); found != nil {
				return found
			}
		}
	}
	return nil
}
