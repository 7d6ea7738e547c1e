package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/api"
)

// view is a resource with its status as the agent reports it, as far as
// commands look at it.
type view struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		RoutingKey, Host   string
		Selector           any // a text, or that of a SecuredAccess
		Port, Cost         int
		RedemptionsAllowed int
		Strategy           struct {
			Priority *struct{ RoutingKeys []string }
			Weighted *struct{ RoutingKeys map[string]int }
		}
	}
	Status struct {
		Status, Message string

		HasMatchingConnector, HasMatchingListener, HasDestination bool
		SitesInNetwork                                            int

		Redemptions    int
		URL            string
		ExpirationTime time.Time
	}

	raw json.RawMessage
}

// ref is the object's name as commands print it.
func (v *view) ref() string { return lower(v.Kind) + "/" + v.Metadata.Name }

// selector is that of a connector for clusters.
func (v *view) selector() string {
	text, _ := v.Spec.Selector.(string)
	return text
}

// keys are the routing keys of a listener or a multi-key listener, in order.
func (v *view) keys() []string {
	s := v.Spec.Strategy
	switch {
	case s.Priority != nil:
		return s.Priority.RoutingKeys
	case s.Weighted != nil:
		var keys []string
		for k := range s.Weighted.RoutingKeys {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return keys
	}
	return []string{v.Spec.RoutingKey}
}

// views decodes the objects of some kinds, in order of kind and name.
func views(s *api.Status, kinds ...string) ([]*view, error) {
	var list []*view
	for _, raw := range s.Objects {
		var is struct{ Kind string }
		if err := json.Unmarshal(raw, &is); err != nil {
			return nil, fmt.Errorf("agent's answer: %w", err)
		}
		if !slices.Contains(kinds, is.Kind) {
			continue
		}
		v := &view{raw: raw}
		if err := json.Unmarshal(raw, v); err != nil {
			return nil, fmt.Errorf("agent's answer: %w", err)
		}
		list = append(list, v)
	}
	return list, nil
}
