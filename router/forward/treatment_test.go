package forward

import "testing"

func TestTreatmentNames(t *testing.T) {
	t.Parallel()
	for treatment, want := range map[Treatment]string{
		Unsaid: "unsaid", Flood: "multicast", Multicast: "multicast", Closest: "closest",
		Balanced: "balanced", Unavailable: "unavailable", 9: "Treatment(9)",
	} {
		if got := treatment.String(); got != want {
			t.Errorf("treatment %d is called %q, want %q", int8(treatment), got, want)
		}
	}
}

// TestRules holds that a pattern matches whole tokens and that the more
// explicit pattern wins.
func TestRules(t *testing.T) {
	t.Parallel()
	rules := newRules([]Rule{
		{Pattern: "mc", Prefix: true, Priority: 0},
		{Pattern: "a/*/c", Priority: 1},
		{Pattern: "a/#", Priority: 2},
		{Pattern: "a/b/c", Priority: 3},
		{Pattern: "#/end", Priority: 4},
		{Pattern: "x.*.#", Priority: 5},
		{Pattern: "y.#.*", Priority: 6}, // the same shape, in the other order
		{Pattern: "z/", Prefix: true, Priority: 7},
		{Pattern: "p/#/q/#/r", Priority: 8},
		{Pattern: "same", Priority: 9},
		{Pattern: "same", Prefix: true, Priority: 10},
		{Pattern: "d.#.#.e", Priority: 11},
	})
	const none = -1
	for address, want := range map[string]int{
		"mc": 0, "mc/x": 0, "mc.x": 0, "mc/x/y": 0, "mc.sfe.all": 0, "mcx": none, "w/mc": none, "m": none, "MC": none,
		"a": 2, "a/x": 2, "a/b/c": 3, "a.b.c": 3, "a/x/c": 1, "a/x/d": 2, "a/b/c/d": 2, "a/b": 2,
		"end": 4, "some/other/end": 4, "some/end/more": none,
		"a/end": 2, // "a" is spelled out, "#" is not
		"x":     none, "x/1": 5, "x/1/2/3": 5,
		"y": none, "y/1": 6, "y/1/2/3": 6,
		"z": 7, "z/1": 7,
		"p/q/r": 8, "p/1/q/2/3/r": 8, "p/q": none, "p/r": none, "p/q/r/s": none,
		"same": 9, "same/more": 10,
		"d/e": 11, "d/1/2/e": 11,
		"": none, "nothing": none,
	} {
		got := none
		if r := rules.match(address); r != nil {
			got = r.Priority
		}
		if got != want {
			t.Errorf("%q matches rule %d, want %d", address, got, want)
		}
	}
}

// TestTreatmentOfNewAddress is the order of sources: configuration, then what
// is said, then the default.
func TestTreatmentOfNewAddress(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{Rules: []Rule{
		{Pattern: "mc", Prefix: true, Treatment: Multicast, Priority: -1},
		{Pattern: "urgent", Treatment: Closest, Priority: 9},
	}, Default: Closest})
	for _, tt := range []struct {
		key      string
		hint     Treatment
		want     Treatment
		priority int
	}{
		{"Mmc/foo", Balanced, Multicast, -1}, // configuration wins over MAU
		{"Mmc", Unsaid, Multicast, -1},
		{"Mmcx", Unsaid, Closest, -1},
		{"Msfe.a", Balanced, Balanced, -1},
		{"Mplain", Unsaid, Closest, -1},
		{"Mrefused", Unavailable, Unavailable, -1},
		{"Mstrange", 17, Closest, -1},
		{"Mnegative", -9, Closest, -1},
		{"Murgent", Balanced, Closest, 9},
		{"Hmc", Balanced, Balanced, -1}, // rules are about mobile addresses
	} {
		k, _ := ParseKey(tt.key)
		table.AddHolder(k, 1, tt.hint, "")
		s, _ := table.Publish()
		if a := s.Lookup(k); a.Treatment() != tt.want || a.Priority() != tt.priority {
			t.Errorf("%s with hint %v is %v with priority %d, want %v and %d", k, tt.hint, a.Treatment(), a.Priority(), tt.want, tt.priority)
		}
	}
}

func TestDefaultTreatment(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{})
	table.AddWatcher(Key{ClassMobile, "x"}, Unsaid)
	s, _ := table.Publish()
	if got := s.Find([]byte("x")).Treatment(); got != Balanced {
		t.Errorf("the default is %v, want balanced", got)
	}
}

// TestTreatmentStays holds that an address keeps its treatment while it
// exists, and gets another one after it was gone.
func TestTreatmentStays(t *testing.T) {
	t.Parallel()
	k := Key{ClassMobile, "x"}
	table := NewTable(Config{})
	treatment := func() Treatment {
		s, _ := table.Publish()
		return s.Lookup(k).Treatment()
	}
	table.AddHolder(k, 1, Closest, "")
	if got := treatment(); got != Closest {
		t.Fatalf("the treatment is %v, want closest", got)
	}
	table.SetRules([]Rule{{Pattern: "x", Treatment: Multicast, Priority: 3}})
	table.AddHolder(k, 2, Balanced, "")
	if got := treatment(); got != Closest {
		t.Errorf("the treatment became %v, want closest", got)
	}
	table.RemoveHolder(k, 1)
	table.RemoveHolder(k, 2)
	if got := treatment(); got != Unavailable {
		t.Errorf("the treatment of no address is %v, want unavailable", got)
	}
	table.AddHolder(k, 1, Closest, "")
	if got := treatment(); got != Multicast {
		t.Errorf("the treatment is %v, want multicast", got)
	}
}
