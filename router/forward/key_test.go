package forward

import "testing"

var (
	interior   = Names{ID: "rtr-A"}
	standalone = Names{} // as a router is before it has an id in a network
	edge       = Names{ID: "rtr-A", Edge: true}
	meshed     = Names{ID: "rtr-A", Edge: true, Peers: []string{"rtr-F", "rtr-E"}}
	networked  = Names{ID: "rtr-A", Network: "net-1"}
)

// TestKeys is the table of skupper-router 3.x, iterator.c, with the addresses
// that occur in a Skupper network.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, interior, edge string }{
		// Mobile addresses.
		{"echo", "Mecho", "Mecho"},
		{"svc:9", "Msvc:9", "Msvc:9"},
		{"mc/sfe.all", "Mmc/sfe.all", "Mmc/sfe.all"},
		{"sfe.IYONP:0", "Msfe.IYONP:0", "Msfe.IYONP:0"},
		{"_$qd.mesh_discovery", "M_$qd.mesh_discovery", "M_$qd.mesh_discovery"},
		{"ECHO", "MECHO", "MECHO"},
		{"Mecho", "MMecho", "MMecho"},
		{"", "M", "M"},

		// Scheme and host, one trailing separator.
		{"amqp:/echo", "Mecho", "Mecho"},
		{"amqp://host:5672/echo", "Mecho", "Mecho"},
		{"//host:5672/echo", "Mecho", "Mecho"},
		{"/echo", "Mecho", "Mecho"},
		{"echo/", "Mecho", "Mecho"},
		{"echo.", "Mecho", "Mecho"},
		{"echo//", "Mecho/", "Mecho/"},
		{"amqp://host", "Mamqp://host", "Mamqp://host"},
		{"a/b:/c", "Mc", "Mc"},
		{":/c", "M:/c", "M:/c"},
		{"/", "M", "M"},

		// Inside this router.
		{"_local/qdhello", "Lqdhello", "Lqdhello"},
		{"amqp:/_local/qdhello", "Lqdhello", "Lqdhello"},
		{"_local/$_management_internal", "L$_management_internal", "L$_management_internal"},
		{"_local", "M_local", "M_local"},

		// Topological addresses.
		{"amqp:/_topo/0/rtr-A/temp.x", "Ltemp.x", "Ltemp.x"},
		{"_topo/all/rtr-A/$management", "L$management", "L$management"},
		{"amqp:/_topo/0/rtr-B/temp.x", "Rrtr-B", "L_edge"},
		{"_topo/0/rtr-B/qdrouter.ma", "Rrtr-B", "L_edge"},
		{"_topo/0/rtr-B", "Rrtr-B", "L_edge"},
		{"_topo/0/rtr-AB/x", "Rrtr-AB", "L_edge"},
		{"_topo/0/all/qdrouter", "Tqdrouter", "Tqdrouter"},
		{"_topo/0/all/qdrouter.ma", "Tqdrouter.ma", "Tqdrouter.ma"},
		{"_topo/all/all/qdrouter", "Tqdrouter", "Tqdrouter"},
		{"_topo/7/rtr-A/temp.x", "A7", "L_edge"},
		{"_topo/7", "A7", "L_edge"},

		// Edge routers.
		{"_edge/rtr-A/temp.x", "Ltemp.x", "Ltemp.x"},
		{"_edge/rtr-E/$management", "Hrtr-E", "L_edge"},
		{"amqp:/_edge/rtr-E/temp.x", "Hrtr-E", "L_edge"},
		{"_edge/rtr-E", "Hrtr-E", "L_edge"},

		// Networks, of which none is set.
		{"_xtopo/net-2/0/rtr-A/temp.x", "Ltemp.x", "Ltemp.x"},
		{"_xtopo/net-2/0/rtr-B/temp.x", "Rrtr-B", "L_edge"},
		{"_xedge/net-2/rtr-A/temp.x", "Ltemp.x", "Ltemp.x"},
		{"_xedge/net-2/rtr-E/temp.x", "Hrtr-E", "L_edge"},
	} {
		check(t, "interior", interior, tt.text, tt.interior)
		check(t, "edge", edge, tt.text, tt.edge)
	}
}

func check(t *testing.T, where string, n Names, text, want string) {
	t.Helper()
	if got := n.Key(text).String(); got != want {
		t.Errorf("%s: key of %q is %q, want %q", where, text, got, want)
	}
}

func TestKeysWithoutNetwork(t *testing.T) {
	t.Parallel()
	check(t, "standalone", standalone, "echo", "Mecho")
	check(t, "standalone", standalone, "_local/x", "Lx")
	check(t, "standalone", standalone, "_topo/0/rtr-B/temp.x", "Rrtr-B")
	check(t, "standalone", standalone, "_edge/rtr-E/temp.x", "Hrtr-E")
	check(t, "standalone", Names{ID: "Standalone_x"}, "amqp:/_topo/0/Standalone_x/temp.x", "Ltemp.x")
}

func TestKeysOfEdgePeers(t *testing.T) {
	t.Parallel()
	check(t, "edge mesh", meshed, "_edge/rtr-E/temp.x", "Hrtr-E")
	check(t, "edge mesh", meshed, "_edge/rtr-F/temp.x", "Hrtr-F")
	check(t, "edge mesh", meshed, "_edge/rtr-G/temp.x", "L_edge")
	check(t, "edge mesh", meshed, "_topo/0/rtr-E/temp.x", "L_edge")
}

func TestKeysOfNetworks(t *testing.T) {
	t.Parallel()
	up := networked
	up.Edge = true
	for _, tt := range []struct{ text, interior, edge string }{
		{"_xtopo/net-1/0/rtr-A/temp.x", "Ltemp.x", "Ltemp.x"},
		{"_xtopo/0/0/rtr-B/temp.x", "Rrtr-B", "L_edge"},
		{"_xtopo/net-2/0/rtr-A/temp.x", "Nnet-2", "L_edge"},
		{"_xedge/net-1/rtr-E/temp.x", "Hrtr-E", "L_edge"},
		{"_xedge/net-2/rtr-A/temp.x", "Nnet-2", "L_edge"},
		{"_topo/0/rtr-B/temp.x", "Rrtr-B", "L_edge"},
	} {
		check(t, "interior of a network", networked, tt.text, tt.interior)
		check(t, "edge of a network", up, tt.text, tt.edge)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for text, announced := range map[string]bool{
		"Mecho": true, "Hrtr-E": true, "Nnet": true,
		"Ltemp.x": false, "Tqdrouter": false, "Rrtr-B": false, "A7": false, "M": false, "": false, "echo": false,
	} {
		k, ok := ParseKey(text)
		if ok != announced {
			t.Errorf("ParseKey(%q) says %v, want %v", text, ok, announced)
		}
		if ok && k.String() != text {
			t.Errorf("ParseKey(%q) is %v", text, k)
		}
	}
}

// FuzzKey holds that any text has a key, whose name is a part of the text.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"", "/", "//", "a:/", "::/x", "_topo/0/all/", "_xtopo//0/x/y", "_edge//", "amqp:/_topo/0/rtr-A/."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range []Names{interior, standalone, edge, meshed, networked} {
			k := n.Key(text)
			if len(k.Name) > len(text) && k != Uplink() {
				t.Errorf("key of %q is %q", text, k)
			}
		}
	})
}
