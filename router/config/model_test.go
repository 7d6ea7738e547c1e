package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/config"
)

// TestEveryConfiguredAttributeHasAField holds the structs against the tables.
func TestEveryConfiguredAttributeHasAField(t *testing.T) {
	t.Parallel()
	goTypes := map[config.Kind]reflect.Kind{
		config.String: reflect.String, config.Path: reflect.String, config.Enum: reflect.String,
		config.Integer: reflect.Int64, config.Boolean: reflect.Bool, config.Mapping: reflect.Map, config.Properties: reflect.Map,
	}
	for _, typ := range config.Types() {
		e, ok := config.NewEntity(typ)
		if !ok {
			if typ.Configured() && typ.Name != "vhostUserGroupSettings" {
				t.Errorf("%s has no struct", typ.Name)
			}
			continue
		}
		fields := map[string]reflect.Type{}
		st := reflect.TypeOf(e).Elem()
		for i := range st.NumField() {
			if tag, ok := st.Field(i).Tag.Lookup("attr"); ok {
				name, _, _ := strings.Cut(tag, ",")
				fields[name] = st.Field(i).Type
			}
		}
		for i := range typ.Attributes {
			a := &typ.Attributes[i]
			ft := fields[a.Name]
			delete(fields, a.Name)
			if ft == nil {
				if a.Has(config.Create) && a.Name != "type" && a.Name != "failoverUrls" {
					t.Errorf("%s.%s has no field", typ.Name, a.Name)
				}
				continue
			}
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() != goTypes[a.Kind] {
				t.Errorf("%s.%s is %s in a field of type %s", typ.Name, a.Name, a.Kind, ft)
			}
		}
		for name := range fields {
			t.Errorf("%s has no attribute %s", typ.Name, name)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	if n := len(config.Types()); n != 31 {
		t.Errorf("%d types, upstream has 31", n)
	}
	for _, name := range []string{"tcpListener", "io.skupper.router.tcpListener"} {
		typ, ok := config.Lookup(name)
		if !ok || typ.FullName() != "io.skupper.router.tcpListener" {
			t.Errorf("%s: %v", name, typ)
		}
	}
	if _, ok := config.Lookup("httpListener"); ok {
		t.Error("httpListener is no type any more")
	}
	l, _ := config.Lookup("tcpListener")
	if !l.Is("configurationEntity") || !l.Is("entity") || l.Is("operationalEntity") {
		t.Errorf("tcpListener extends %v", l.Bases())
	}
	if want := []string{"CREATE", "UPDATE", "DELETE", "READ"}; !cmp.Equal(want, l.Operations) || !l.Allows("READ") || l.Allows("QUERY") {
		t.Errorf("operations %v", l.Operations)
	}
	if a := l.Attribute("observer"); a == nil || !a.Has(config.Create|config.Update) || l.Attribute("identity") == nil {
		t.Errorf("attributes %v", l.Attributes)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	listener := config.NewListener()
	listener.Host, listener.Port = "0.0.0.0", "5672"
	named := listener
	named.Name = "amqp"
	site := config.NewSite()
	site.Name = "west"
	address := config.ListenerAddress{Listener: "l", Address: "a", Name: "l/a"}
	network, policy := config.NewNetwork(), config.NewPolicy()
	mc := config.Address{Prefix: "mc"}
	for _, row := range []struct {
		e              config.Entity
		identity, name string
	}{
		{&listener, "listener/0.0.0.0:5672", "listener/0.0.0.0:5672"},
		{&named, "listener/0.0.0.0:5672:amqp", "amqp"},
		{&config.SSLProfile{Name: "p"}, "sslProfile/p", "p"},
		{&config.Log{Module: "SERVER"}, "log/SERVER", "log/SERVER"},
		{&config.Router{ID: "A"}, "router/A", "router/A"},
		{&network, "network/0", "network/0"},
		{&policy, "policy/None", "policy/None"},
		{&site, "site/west", "west"},
		{&address, "listenerAddress/l:a:l/a", "l/a"},
		{&mc, "address/mc", "address/mc"},
	} {
		if id, name := config.Identity(row.e), config.Name(row.e); id != row.identity || name != row.name {
			t.Errorf("%T: identity %q name %q, want %q %q", row.e, id, name, row.identity, row.name)
		}
	}
}

func TestSetAndGet(t *testing.T) {
	t.Parallel()
	l := config.NewListener()
	for _, row := range []struct {
		name  string
		value any
		want  any
	}{
		{"port", uint32(5672), "5672"},
		{"cost", uint64(7), int64(7)},
		{"cost", "8", int64(8)},
		{"authenticatePeer", "on", true},
		{"authenticatePeer", 0, false},
		{"maxSessionFrames", nil, nil},
		{"maxFrameSize", nil, int64(16384)},
		{"host", "", ""},
		{"sslProfile", "", nil},
		{"role", "edge", "edge"},
	} {
		if err := config.Set(&l, row.name, row.value); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got := config.Get(&l, row.name); !cmp.Equal(row.want, got) {
			t.Errorf("%s = %#v, want %#v", row.name, got, row.want)
		}
	}
	for _, row := range []struct {
		name  string
		value any
	}{{"nosuch", "x"}, {"cost", uint64(1) << 63}, {"role", "boss"}, {"http", 2}, {"host", 1.5}, {"openProperties", []any{}}} {
		if err := config.Set(&l, row.name, row.value); err == nil {
			t.Errorf("%s accepted %v", row.name, row.value)
		}
	}
	if config.Get(&l, "type") != "io.skupper.router.listener" || config.Get(&l, "identity") != "listener/:5672" || config.Get(&l, "nosuch") != nil {
		t.Error("type, identity or an unknown attribute")
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	base := `router {
 id: A
 mode: interior
}
sslProfile {
 name: p
}
listener {
 name: amqp
}
listener {
 name: l
 port: 1
}
tcpListener {
 name: t
 port: 5000
 address: x
}
tcpListener {
 name: m
 port: 5001
 multiAddressStrategy: priority
}
listenerAddress {
 name: m/a
 listener: m
 address: a
 value: 1
}
`
	old := parse(t, base)
	change := func(replacements ...string) string { return strings.NewReplacer(replacements...).Replace(base) }
	for name, row := range map[string]struct {
		text string
		want []string
		live bool
	}{
		"nothing but lines": {text: "# comment\n\n" + base, live: true},
		"update":            {text: change(" port: 5000", " port: 5000\n observer: none"), want: []string{"modify tcpListener t: observer"}, live: true},
		"replace":           {text: change(" port: 5000", " port: 5002\n backlog: 3"), want: []string{"replace tcpListener t: port, backlog"}, live: true},
		"restart":           {text: change(" id: A", " id: B\n workerThreads: 9"), want: []string{"modify router router/B: id, workerThreads (after a restart)"}},
		"metadata":          {text: change(" id: A", " id: A\n metadata: x"), want: []string{"modify router router/A: metadata"}, live: true},
		"delete and create in order of reference": {
			text: change("name: p", "name: q", "name: l\n", "name: k\n sslProfile: q\n", "name: m\n", "name: n\n", "listener: m", "listener: n"),
			want: []string{
				"delete tcpListener m", "delete listener l", "delete sslProfile p",
				"create sslProfile q", "create listener k", "create tcpListener n", "replace listenerAddress m/a: listener",
			},
			live: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := config.Diff(old, parse(t, row.text))
			var got []string
			for _, c := range changes {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if changes.Live() != row.live {
				t.Errorf("live: %v", changes.Live())
			}
		})
	}
}

func TestAProfileInUseMayGo(t *testing.T) {
	t.Parallel()
	c := config.New()
	c.Router.ID = "A"
	c.SSLProfiles = []config.SSLProfile{{Name: "tls"}}
	c.TCPConnectors = []config.TCPConnector{{Name: "out", Address: "svc", Host: "db", Port: "5432", SSLProfile: "tls"}}
	without, err := c.Remove((&config.SSLProfile{}).Type(), "tls")
	if err != nil || len(without.SSLProfiles) != 0 || len(without.TCPConnectors) != 1 {
		t.Errorf("%v %v", without, err)
	}
	if _, err := without.Remove((&config.TCPConnector{}).Type(), "out"); err != nil {
		t.Errorf("what used it cannot go: %v", err)
	}
}

func TestPutAndRemove(t *testing.T) {
	t.Parallel()
	c := parse(t, "tcpListener {\n name: m\n port: 1\n multiAddressStrategy: priority\n}\n")
	address := config.NewListenerAddress()
	address.Name, address.Address, address.Listener = "m/a", "a", "m"
	with, err := c.Put(&address)
	if err != nil || len(with.ListenerAddresses) != 1 || len(c.ListenerAddresses) != 0 {
		t.Fatalf("put: %v, %d and %d addresses", err, len(with.ListenerAddresses), len(c.ListenerAddresses))
	}
	listeners, _ := config.Lookup("tcpListener")
	if _, err := with.Remove(listeners, "m"); err == nil || !strings.Contains(err.Error(), `there is no tcpListener "m"`) {
		t.Errorf("removing what is referred to: %v", err)
	}
	without, err := c.Remove(listeners, "m")
	if err != nil || len(without.TCPListeners) != 0 || len(c.TCPListeners) != 1 {
		t.Errorf("remove: %v", err)
	}
	bad := config.NewListener()
	bad.Role = config.RoleEdge
	if _, err := c.Put(&bad); err == nil || !strings.Contains(err.Error(), "a standalone router has no edge connections") {
		t.Errorf("put with a wrong role: %v", err)
	}
}
