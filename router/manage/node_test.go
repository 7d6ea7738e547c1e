package manage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// properties makes application properties of keys and values.
func properties(kv ...any) amqp.Map {
	var m amqp.Map
	for i := 0; i+1 < len(kv); i += 2 {
		m = append(m, amqp.Pair{Key: kv[i], Value: kv[i+1]})
	}
	return m
}

// call sends a request and returns what became of it and the body of the
// reply.
func call(t *testing.T, n *manage.Node, app amqp.Map, body any) (manage.Result, any) {
	t.Helper()
	r := n.Handle(t.Context(), &amqp.Message{
		Properties:            &amqp.Properties{ReplyTo: "reply", CorrelationID: uint64(9)},
		ApplicationProperties: app, Kind: amqp.BodyValue, Value: body,
	}, manage.Caller{Connection: 6})
	if r.Reply == nil {
		t.Fatal("no reply")
	}
	if r.Reply.ApplicationProperties.Get("statusCode") != int32(r.Status) || r.OK() != (r.Status < 300) {
		t.Errorf("result %+v", r)
	}
	return r, r.Reply.Value
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	listener := "io.skupper.router.listener"
	for name, row := range map[string]struct {
		app    amqp.Map
		body   any
		status int
		text   string
	}{
		"no operation":          {nil, nil, 400, "No 'operation' property"},
		"unknown operation":     {properties("operation", "nosuch", "type", "org.amqp.management"), nil, 501, "Operation 'NOSUCH' not implemented for 'io.skupper.router.management'"},
		"profile":               {properties("operation", "PROFILE"), nil, 501, "Operation 'PROFILE' not implemented on io.skupper.router.management"},
		"unknown type":          {properties("operation", "CREATE", "type", "x"), nil, 400, "No such entity type 'x'"},
		"type of body":          {properties("operation", "CREATE"), properties("type", "x"), 400, "No such entity type 'x'"},
		"two types":             {properties("operation", "CREATE", "type", "listener"), properties("type", "connector"), 400, "Conflicting values for 'type'"},
		"two names":             {properties("operation", "CREATE", "type", "listener", "name", "a"), properties("name", "b"), 400, "Conflicting values for 'name'"},
		"no type":               {properties("operation", "CREATE"), nil, 400, "No 'type' attribute"},
		"body of a list":        {properties("operation", "CREATE", "type", "listener"), amqp.List{"x"}, 400, "Body of request must be a map"},
		"create what is not":    {properties("operation", "CREATE", "type", "router.node"), nil, 501, "Operation 'CREATE' not implemented for 'io.skupper.router.router.node' ['READ']"},
		"create in the core":    {properties("operation", "CREATE", "type", "router.link"), nil, 403, "You are not allowed"},
		"read only":             {properties("operation", "CREATE", "type", "connector"), properties("connectionStatus", "x"), 400, "Cannot set attribute 'connectionStatus' in CREATE"},
		"wrong kind":            {properties("operation", "CREATE", "type", "listener"), properties("maxFrameSize", "big"), 400, `io.skupper.router.listener: Invalid value for 'maxFrameSize': "big" is not a whole number`},
		"missing":               {properties("operation", "CREATE", "type", "listenerAddress"), properties("address", "x", "value", int32(1)), 400, "Missing required attribute 'listener'"},
		"cost":                  {properties("operation", "CREATE", "type", "connector"), properties("cost", int64(-1)), 400, "Configuration: Invalid cost (-1) specified. Minimum value for cost is 1 and maximum value is 2147483647"},
		"profile not there":     {properties("operation", "CREATE", "type", "tcpConnector"), properties("address", "a", "port", "1", "sslProfile", "NotFound"), 400, "Configuration: sslProfile 'NotFound' not found"},
		"address missing":       {properties("operation", "CREATE", "type", "tcpConnector"), properties("port", "1"), 400, "Configuration: Address must be set"},
		"auto-link":             {properties("operation", "CREATE", "type", "router.config.autoLink"), properties("direction", "in", "connection", "a", "containerId", "b"), 400, "Both connection and containerId cannot be specified"},
		"name taken":            {properties("operation", "CREATE", "type", "listener", "name", "amqp"), nil, 400, "Name conflicts with an existing entity"},
		"two names by identity": {properties("operation", "READ", "type", "listener", "name", "amqp", "identity", "x"), nil, 400, "Conflicting name=amqp identity=x"},
		"other type":            {properties("operation", "READ", "type", "connector", "name", "amqp"), nil, 400, "Entity type 'io.skupper.router.listener' does not extend requested type 'io.skupper.router.connector'"},
		"no name":               {properties("operation", "DELETE", "type", listener), nil, 400, listener + ": No name or identity provided"},
		"not there":             {properties("operation", "UPDATE", "identity", "BOGUS"), nil, 404, "No entity with identity=BOGUS"},
		"update a listener":     {properties("operation", "UPDATE", "type", "listener", "name", "amqp"), nil, 501, "Operation 'UPDATE' not implemented for 'io.skupper.router.listener' ['CREATE', 'DELETE', 'READ']"},
		"delete a connection":   {properties("operation", "DELETE", "type", "connection", "identity", "6"), nil, 403, "You are not allowed"},
		"close a trunk":         {properties("operation", "UPDATE", "type", "connection", "identity", "4"), properties("adminStatus", "deleted"), 403, "You are not allowed"},
		"close the dispatcher":  {properties("operation", "UPDATE", "type", "connection", "identity", "1"), properties("adminStatus", "deleted"), 403, "You are not allowed"},
		"odd status":            {properties("operation", "UPDATE", "type", "connection", "identity", "6"), properties("adminStatus", "off"), 400, "adminStatus: off is neither enabled nor deleted"},
		"host of connection":    {properties("operation", "UPDATE", "type", "connection", "identity", "6"), properties("host", "x", "adminStatus", "enabled"), 400, "Cannot update attribute 'host' in UPDATE"},
		"not a number":          {properties("operation", "UPDATE", "type", "connection", "identity", "G1"), properties("adminStatus", "deleted"), 400, "Bad Request"},
		"nothing to change":     {properties("operation", "UPDATE", "type", "connection", "identity", "6"), nil, 400, "Bad Request"},
		"log level":             {properties("operation", "UPDATE", "identity", "log/AGENT"), properties("enable", "foo"), 400, `Configuration: enable: "foo" is not a level`},
		"log file":              {properties("operation", "UPDATE", "name", "log/DEFAULT"), properties("outputFile", ""), 500, "CError: Configuration: Failed to open log file ''"},
		"log flag":              {properties("operation", "UPDATE", "identity", "log/AGENT"), properties("includeSource", "blahblah"), 400, "is not yes or no"},
		"names not a list":      {properties("operation", "QUERY"), properties("attributeNames", "x"), 400, "attributeNames must be a list"},
		"names not text":        {properties("operation", "QUERY"), properties("attributeNames", amqp.List{int32(1)}), 400, "attributeNames must be a list of strings"},
		"unknown attributes":    {properties("operation", "QUERY"), properties("attributeNames", amqp.List{"name", "nosuch"}), 404, "Unknown attributes ['nosuch']."},
		"negative offset":       {properties("operation", "QUERY", "entityType", "log", "offset", int32(-1)), nil, 400, "offset must not be negative"},
		"count of text":         {properties("operation", "QUERY", "entityType", "log", "count", "x"), nil, 400, "count must be a whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, body := call(t, manage.New(west(t)), row.app, row.body)
			if r.Status != row.status || !strings.HasPrefix(r.Description, row.text) && !strings.Contains(r.Description, row.text) {
				t.Errorf("%d %q, want %d %q", r.Status, r.Description, row.status, row.text)
			}
			if m, ok := body.(amqp.Map); !ok || len(m) != 0 {
				t.Errorf("body %v", body)
			}
		})
	}
}

func TestRolesAreRefusedByMode(t *testing.T) {
	t.Parallel()
	node := manage.New(&fixture{config: config.New()})
	r, _ := call(t, node, properties("operation", "CREATE", "type", "io.skupper.router.connector"), properties("port", "77777", "role", "inter-router"))
	if r.Status != 400 || !strings.HasPrefix(r.Description, "role='standalone' not allowed to connect to or accept connections from other routers.") {
		t.Errorf("%+v", r)
	}
}

func TestRequestWithoutReplyToIsNotPerformed(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	before := len(store.config.Listeners)
	for _, p := range []*amqp.Properties{nil, {CorrelationID: uint64(1)}} {
		r := node.Handle(t.Context(), &amqp.Message{Properties: p, ApplicationProperties: properties("operation", "DELETE", "name", "amqp", "type", "listener")}, manage.Caller{})
		if r.Reply != nil || len(store.config.Listeners) != before {
			t.Errorf("%+v", r)
		}
	}
}

func TestLifeOfAListenerAddress(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	if r, _ := call(t, node, properties("operation", "CREATE", "type", "tcpListener", "name", "multi"), properties("port", uint32(5000), "multiAddressStrategy", "priority")); r.Status != 201 {
		t.Fatalf("%+v", r)
	}
	r, body := call(t, node, properties("operation", "CREATE", "type", "listenerAddress", "name", "multi/a"), properties("address", "a", "value", uint64(3), "listener", "multi"))
	if r.Status != 201 {
		t.Fatalf("%+v", r)
	}
	want := properties("address", "a", "value", int32(3), "listener", "multi", "name", "multi/a", "identity", "listenerAddress/multi:a:multi/a", "type", "io.skupper.router.listenerAddress")
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	if r, _ := call(t, node, properties("operation", "DELETE", "type", "tcpListener", "name", "multi"), nil); r.Status != 400 || !strings.Contains(r.Description, `there is no tcpListener "multi"`) {
		t.Errorf("deleting a listener with addresses: %+v", r)
	}
	for _, typ := range []string{"listenerAddress", "tcpListener"} {
		identity := map[string]string{"listenerAddress": "listenerAddress/multi:a:multi/a", "tcpListener": "tcpListener/:5000:multi"}[typ]
		if r, _ := call(t, node, properties("operation", "DELETE", "type", typ, "identity", identity), nil); r.Status != 204 {
			t.Errorf("%+v", r)
		}
	}
	if len(store.config.ListenerAddresses) != 0 || len(store.config.TCPListeners) != 3 {
		t.Errorf("left: %+v", store.config.TCPListeners)
	}
}

func TestFailureOfTheRouterIsReported(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	for _, row := range []struct {
		err    error
		status int
		text   string
	}{
		{errors.New("address already in use"), 500, "address already in use"},
		{&manage.Error{Status: 403, Description: "not now"}, 403, "not now"},
		{fmt.Errorf("apply: %w", &manage.Error{Status: 400, Description: "bad file"}), 400, "bad file"},
	} {
		store.refuse = row.err
		r, _ := call(t, node, properties("operation", "CREATE", "type", "listener", "name", "new"), nil)
		if r.Status != row.status || r.Description != row.text || len(store.config.Listeners) != 3 {
			t.Errorf("%v: %+v", row.err, r)
		}
	}
}

func TestUpdateOfProfileReadsItsFilesAgain(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	body := properties("name", "p", "caCertFile", "/ca", "ordinal", uint64(2))
	if r, _ := call(t, node, properties("operation", "CREATE", "type", "sslProfile", "name", "p"), body); r.Status != 201 {
		t.Fatalf("%+v", r)
	}
	if r, _ := call(t, node, properties("operation", "UPDATE", "type", "sslProfile", "name", "p"), body); r.Status != 200 {
		t.Fatalf("%+v", r)
	}
	if diff := cmp.Diff([]string{"p"}, store.reloaded); diff != "" {
		t.Error(diff)
	}
}

func TestLogOfUnconfiguredModule(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	_, body := call(t, node, properties("operation", "READ", "identity", "log/DEFAULT"), nil)
	want := properties("module", "DEFAULT", "enable", "info+", "includeTimestamp", true, "includeSource", false,
		"outputFile", "/var/lg/west.log", "name", "log/DEFAULT", "identity", "log/DEFAULT", "type", "io.skupper.router.log")
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	for _, row := range []struct{ set, want string }{{"debug+", "debug+"}, {"", "none"}, {"info,critical", "info,critical"}} {
		r, _ := call(t, node, properties("operation", "UPDATE", "identity", "log/AGENT"), properties("identity", "log/AGENT", "enable", row.set, "includeSource", "yes"))
		if l := store.config.Log("AGENT"); r.Status != 200 || l.Enable != row.want || !*l.IncludeSource {
			t.Errorf("%+v: %+v", r, l)
		}
	}
	if n := len(store.config.Logs); n != 2 {
		t.Errorf("%d logs configured", n)
	}
}

func TestConnectionIsClosedAndTraced(t *testing.T) {
	t.Parallel()
	store := west(t)
	node := manage.New(store)
	app := properties("operation", "UPDATE", "type", "connection", "identity", "6")
	r, body := call(t, node, app, properties("adminStatus", "deleted", "host", "127.0.0.1:56938", "identity", "6", "type", "connection"))
	m := body.(amqp.Map)
	if r.Status != 200 || m.Get("adminStatus") != "deleted" || m.Get("operStatus") != "closing" {
		t.Errorf("%+v %v", r, m)
	}
	if _, has := m.Get("meshId"), len(m); has != 29 {
		t.Errorf("%d attributes, want the nulls as well", len(m))
	}
	r, body = call(t, node, app, properties("enableProtocolTrace", "true"))
	if r.Status != 200 || body.(amqp.Map).Get("enableProtocolTrace") != true {
		t.Errorf("%+v %v", r, body)
	}
	yes := true
	if diff := cmp.Diff([]manage.ConnectionChange{{Close: true}, {Trace: &yes}}, store.changed); diff != "" {
		t.Error(diff)
	}
}

func TestPagesOfAQuery(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	var got []any
	for offset := uint32(0); ; offset += 10 {
		_, body := call(t, node, properties("operation", "query", "entityType", "io.skupper.router.log", "count", uint32(10), "offset", offset), properties("attributeNames", amqp.List{"module"}))
		rows := body.(amqp.Map).Get("results").(amqp.List)
		for _, row := range rows {
			got = append(got, row.(amqp.List)[0])
		}
		if len(rows) < 10 {
			break
		}
	}
	if len(got) != 23 || got[0] != "DEFAULT" {
		t.Errorf("%d modules: %v", len(got), got)
	}
	_, body := call(t, node, properties("operation", "QUERY", "entityType", "log", "count", int64(0)), nil)
	if rows := body.(amqp.Map).Get("results").(amqp.List); len(rows) != 0 {
		t.Errorf("%d rows for count 0", len(rows))
	}
}

func TestQueryByTheTypeOfItsEntities(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	_, want := call(t, node, properties("operation", "QUERY", "entityType", "listener"), nil)
	_, got := call(t, node, properties("operation", "QUERY", "type", "io.skupper.router.listener"), nil)
	if diff := cmp.Diff(want, got); diff != "" || len(got.(amqp.Map).Get("results").(amqp.List)) == 0 {
		t.Error(diff)
	}
}

// TestOnlyWhatIsShownIsObserved counts the entities whose status the router is
// asked for: a page of a query costs a page, and reading one costs one.
func TestOnlyWhatIsShownIsObserved(t *testing.T) {
	t.Parallel()
	store := &fixture{config: config.New()}
	for i := range 1000 {
		c := config.NewTCPConnector()
		c.Name, c.Host, c.Port, c.Address = fmt.Sprintf("c%d", i), "localhost", "1", "a"
		store.config.TCPConnectors = append(store.config.TCPConnectors, c)
	}
	node := manage.New(store)
	page := func(offset int64, names ...any) int {
		_, body := call(t, node, properties("operation", "QUERY", "entityType", "tcpConnector", "count", int64(100), "offset", offset),
			properties("attributeNames", amqp.List(names)))
		return len(body.(amqp.Map).Get("results").(amqp.List))
	}
	for _, row := range []struct {
		what       string
		offset     int64
		names      []any
		rows, cost int
	}{
		{"a page", 500, []any{"name", "connectionsOpened"}, 100, 100},
		{"the last page", 950, []any{"identity"}, 50, 50},
		{"beyond the end", 1000, []any{"name"}, 0, 0},
		{"without a name, where some may be empty", 900, []any{"connectionsOpened"}, 100, 1000},
	} {
		store.asked = 0
		if rows := page(row.offset, row.names...); rows != row.rows || store.asked != row.cost {
			t.Errorf("%s: %d rows at the cost of %d, want %d and %d", row.what, rows, store.asked, row.rows, row.cost)
		}
	}
	store.asked = 0
	if r, _ := call(t, node, properties("operation", "READ", "type", "tcpConnector", "name", "c700"), nil); r.Status != 200 || store.asked != 1 {
		t.Errorf("reading one: %d, %d statuses", r.Status, store.asked)
	}
}

func TestQueryOfEverything(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	_, body := call(t, node, properties("operation", "QUERY", "name", "self", "type", "org.amqp.management"), properties("attributeNames", amqp.List{"type", "identity", "name"}))
	seen := map[string]int{}
	for _, row := range body.(amqp.Map).Get("results").(amqp.List) {
		cells := row.(amqp.List)
		typ := strings.TrimPrefix(cells[0].(string), config.Prefix)
		seen[typ]++
		if identity := cells[1].(string); identity != "self" && !strings.HasPrefix(identity, strings.TrimPrefix(typ, "router.config.")+"/") {
			t.Errorf("identity %s of a %s", identity, typ)
		}
		if cells[2] == nil {
			t.Errorf("%s without name", cells[1])
		}
	}
	want := map[string]int{"management": 1, "router": 1, "network": 1, "policy": 1, "site": 1, "listener": 3, "tcpListener": 3, "tcpConnector": 1, "router.config.address": 1, "log": 23, "router.node": 2, "logStats": 2, "vhostStats": 1}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	for _, row := range []struct{ set, want string }{{"secret", "*******"}, {"literal:x", "*******"}, {"file:/p", "file:/p"}, {"env:P", "env:P"}} {
		_, body := call(t, node, properties("operation", "CREATE", "type", "proxyProfile", "name", row.set), properties("password", row.set))
		if got := body.(amqp.Map).Get("password"); got != row.want {
			t.Errorf("%q is shown as %v", row.set, got)
		}
	}
}

func TestDummy(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	app := properties("type", "dummy", "name", "d")
	operation := func(op string) amqp.Map { return append(properties("operation", op), app...) }
	_, body := call(t, node, operation("CREATE"), properties("arg1", "START"))
	if diff := cmp.Diff(properties("arg1", "START", "name", "d", "identity", "dummy/0", "type", "io.skupper.router.dummy"), body); diff != "" {
		t.Error(diff)
	}
	if r, _ := call(t, node, operation("CREATE"), nil); r.Status != 400 {
		t.Errorf("a second one: %+v", r)
	}
	if r, body := call(t, node, operation("UPDATE"), properties("name", "d", "arg1", "one", "num1", int64(42))); r.Status != 200 || body.(amqp.Map).Get("num1") != int32(42) {
		t.Errorf("%+v %v", r, body)
	}
	if r, _ := call(t, node, operation("UPDATE"), properties("arg1", "two", "badattribute", "x")); r.Status != 400 {
		t.Errorf("%+v", r)
	}
	if _, body := call(t, node, operation("READ"), nil); body.(amqp.Map).Get("arg1") != "one" {
		t.Errorf("a refused update has left %v", body)
	}
	_, body = call(t, node, properties("operation", "callme", "identity", "dummy/0", "data", int64(-1)), nil)
	if diff := cmp.Diff(properties("operation", "callme", "identity", "dummy/0", "data", int64(-1)), body); diff != "" {
		t.Error(diff)
	}
	if r, _ := call(t, node, operation("DELETE"), nil); r.Status != 204 {
		t.Errorf("%+v", r)
	}
	if r, _ := call(t, node, operation("READ"), nil); r.Status != 404 {
		t.Errorf("%+v", r)
	}
	for i := range 70 {
		r, _ := call(t, node, properties("operation", "CREATE", "type", "dummy"), nil)
		if want := map[bool]int{true: 201, false: 400}[i < 64]; r.Status != want {
			t.Fatalf("dummy %d: %+v", i, r)
		}
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	_, body := call(t, node, properties("operation", "GET-JSON-SCHEMA", "indent", int32(2)), nil)
	var got struct {
		Prefix      string
		EntityTypes map[string]struct {
			Attributes         map[string]struct{ Type, Default any }
			Operations         []string
			FullyQualifiedType string
			Singleton          bool
		}
	}
	if err := json.Unmarshal([]byte(body.(string)), &got); err != nil {
		t.Fatal(err)
	}
	l := got.EntityTypes["listener"]
	if got.Prefix != "io.skupper.router" || len(got.EntityTypes) != 31 || l.FullyQualifiedType != "io.skupper.router.listener" ||
		l.Attributes["maxFrameSize"].Default != 16384.0 || l.Attributes["port"].Type != "string" || !got.EntityTypes["router"].Singleton {
		t.Errorf("%+v", l)
	}
	_, body = call(t, node, properties("operation", "GET-SCHEMA"), nil)
	types, _ := body.(amqp.Map).Get("entityTypes").(amqp.Map)
	if len(types) != 31 {
		t.Errorf("%d types", len(types))
	}
	_, body = call(t, node, properties("operation", "GET-TYPES", "entityType", "configurationEntity"), nil)
	if n := len(body.(amqp.Map)); n != 17 {
		t.Errorf("%d types of configurationEntity", n)
	}
	_, body = call(t, node, properties("operation", "GET-OPERATIONS", "entityType", "io.skupper.router.dummy"), nil)
	want := amqp.Map{{Key: "io.skupper.router.dummy", Value: amqp.List{"CREATE", "READ", "UPDATE", "DELETE", "CALLME"}}}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

// FuzzHandle hands in any message. A reply must be one that can be encoded and
// decoded again.
func FuzzHandle(f *testing.F) {
	for _, x := range exchanges(f) {
		f.Add(x.request.Append(nil))
	}
	c := west(f).config
	f.Fuzz(func(t *testing.T, octets []byte) {
		msg, err := amqp.ParseMessage(octets)
		if err != nil {
			return
		}
		r := manage.New(&fixture{config: c}).Handle(t.Context(), msg, manage.Caller{})
		if r.Reply == nil {
			return
		}
		if _, err := amqp.ParseMessage(r.Reply.AppendWide(nil, 6)); err != nil {
			t.Fatalf("%v: %+v", err, r)
		}
	})
}

func TestShowSchema(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	err := node.ShowSchema([]byte(`{"prefix": "io.skupper.router", "entityTypes": {
		"entity": {"description": "base", "attributes": {"name": {"type": "string", "create": true, "unique": true}, "type": {"type": "string"}}},
		"conf": {"extends": "entity", "operations": ["READ"], "singleton": true},
		"router.config.address": {"extends": "conf", "operations": ["CREATE"],
			"attributes": {"n": {"type": ["a", "b"], "default": 3, "description": "d"}, "z": {"type": "integer", "default": 0}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, body := call(t, node, properties("operation", "GET-SCHEMA"), nil)
	name := amqp.Pair{Key: "name", Value: properties("type", "string", "unique", true)}
	want := properties("prefix", "io.skupper.router", "entityTypes", properties(
		"conf", properties("attributes", amqp.Map{name}, "operations", amqp.List{"READ"}, "fullyQualifiedType", "io.skupper.router.conf", "singleton", true),
		"entity", properties("attributes", amqp.Map{name}, "description", "base", "fullyQualifiedType", "io.skupper.router.entity"),
		"address", properties("attributes", amqp.Map{
			{Key: "n", Value: properties("type", amqp.List{"a", "b"}, "default", int32(3), "description", "d")},
			name,
			{Key: "z", Value: properties("type", "integer")},
		}, "operations", amqp.List{"CREATE", "READ"}, "fullyQualifiedType", "io.skupper.router.router.config.address"),
	))
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"{", `{"entityTypes": {"a": {"extends": "b"}}}`, `{"entityTypes": {"a": {"extends": "a"}}}`} {
		if err := node.ShowSchema([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
