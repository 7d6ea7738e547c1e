package manage_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// exchange is one request to upstream's router and its reply.
type exchange struct {
	name           string
	request, reply *amqp.Message
}

func exchanges(t testing.TB) []exchange {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "exchanges.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the comment
	message := func() *amqp.Message {
		lines.Scan()
		octets, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		m, err := amqp.ParseMessage(octets)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var all []exchange
	for lines.Scan() {
		all = append(all, exchange{lines.Text(), message(), message()})
	}
	return all
}

func west(t testing.TB) *fixture {
	t.Helper()
	c, warnings, err := config.Load(filepath.Join("testdata", "west.conf"), nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return &fixture{config: c}
}

// differences says where our reply to an exchange is another on purpose.
func differences() map[string]string {
	return map[string]string{
		"QUERY connection ['identity', 'role', 'nosuch']{}":           "upstream answers an unknown attribute with another column; ours refuses it",
		"QUERY tcpListener ['name', 'port']{'count': 1, 'offset': 0}": "upstream ignores count; ours does not",
		"CREATE dup":              "upstream's description is the text of two Python objects",
		"CREATE missing required": "upstream answers 500 by accident",
	}
}

// TestRepliesAreUpstreams sends the recorded requests in their order and
// compares the replies: status and description, names of attributes, and of
// each attribute its AMQP type; of what is configured also the values.
func TestRepliesAreUpstreams(t *testing.T) {
	t.Parallel()
	node := manage.New(west(t))
	different := differences()
	for _, x := range exchanges(t) {
		got := node.Handle(t.Context(), x.request, manage.Caller{Connection: 6})
		if got.Reply == nil {
			t.Fatalf("%s: no reply", x.name)
		}
		octets := got.Reply.AppendWide(nil, 6)
		reply, err := amqp.ParseMessage(octets)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if reply.Properties.To != x.request.Properties.ReplyTo || !cmp.Equal(reply.Properties.CorrelationID, x.request.Properties.CorrelationID) {
			t.Errorf("%s: properties %+v", x.name, reply.Properties)
		}
		if different[x.name] != "" {
			delete(different, x.name)
			continue
		}
		for _, key := range []string{"statusCode", "statusDescription"} {
			if diff := cmp.Diff(x.reply.ApplicationProperties.Get(key), reply.ApplicationProperties.Get(key)); diff != "" {
				t.Errorf("%s: %s: %s", x.name, key, diff)
			}
		}
		compareBodies(t, x.name, x.reply.Value, reply.Value)
	}
	for name := range different {
		t.Errorf("%s: not among the exchanges", name)
	}
}

func compareBodies(t *testing.T, name string, want, got any) {
	t.Helper()
	w, ok := want.(amqp.Map)
	g, ok2 := got.(amqp.Map)
	if !ok || !ok2 {
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			t.Errorf("%s: body is %T, want %T", name, got, want)
		}
		return
	}
	if w.Get("attributeNames") != nil {
		compareTables(t, name, w, g)
		return
	}
	if strings.HasPrefix(name, "GET-") {
		compareKeys(t, name, w, g)
		return
	}
	compareAttributes(t, name, w, g)
}

// compareKeys compares answers about types, whose values are lists.
func compareKeys(t *testing.T, name string, want, got amqp.Map) {
	t.Helper()
	const cut = 10 // a reply with fewer types is one that was cut short
	if len(want) != len(got) && len(want) > cut {
		t.Errorf("%s: %d types, want %d", name, len(got), len(want))
	}
	for _, p := range want {
		v, ok := got.Get(p.Key.(string)).(amqp.List)
		if !ok {
			t.Errorf("%s: %s is missing", name, p.Key)
		}
		have := map[any]bool{}
		for _, s := range v {
			have[s] = true
		}
		for _, s := range p.Value.(amqp.List) {
			if !have[s] {
				t.Errorf("%s: %s: %v is missing", name, p.Key, s)
			}
		}
	}
}

// live are attributes whose value is another at every moment.
func live(name string) bool {
	switch name {
	case "version", "connectionMsg", "connectionStatus", "identity", "name":
		return true
	}
	return false
}

// compareAttributes compares the answers to READ, CREATE and UPDATE.
func compareAttributes(t *testing.T, name string, want, got amqp.Map) {
	t.Helper()
	for _, p := range want {
		key := p.Key.(string)
		v := got.Get(key)
		if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", p.Value) {
			t.Errorf("%s: %s is %#v, want %#v", name, key, v, p.Value)
		} else if !live(key) && !cmp.Equal(v, p.Value) {
			t.Errorf("%s: %s = %v, want %v", name, key, v, p.Value)
		}
	}
	for _, p := range got {
		if want.Get(p.Key.(string)) == nil {
			t.Errorf("%s: %s = %v is too much", name, p.Key, p.Value)
		}
	}
}

// compareTables compares the answers to QUERY: every column of upstream's must
// be in ours, with the same type in the first row where it is not null.
func compareTables(t *testing.T, name string, want, got amqp.Map) {
	t.Helper()
	ours := map[any]any{}
	names, _ := got.Get("attributeNames").(amqp.List)
	for i, column := range names {
		ours[column] = firstCell(got, i)
	}
	rows := len(want.Get("results").(amqp.List))
	for i, column := range want.Get("attributeNames").(amqp.List) {
		if column == "" { // a bug of upstream's
			continue
		}
		have, ok := ours[column]
		if !ok {
			t.Errorf("%s: no column %v", name, column)
			continue
		}
		theirs := firstCell(want, i)
		if fmt.Sprintf("%T", have) != fmt.Sprintf("%T", theirs) && have != nil && theirs != nil {
			t.Errorf("%s: %v is %#v, want %#v", name, column, have, theirs)
		}
		if have == nil && theirs != nil && rows > 0 && configuredTable(name) {
			t.Errorf("%s: %v is null, want %#v", name, column, theirs)
		}
	}
	if configuredTable(name) && len(got.Get("results").(amqp.List)) != rows {
		t.Errorf("%s: %d rows, want %d", name, len(got.Get("results").(amqp.List)), rows)
	}
}

// configuredTable reports whether the rows of a query are entities of the
// configuration, of which the fixture has the same.
func configuredTable(name string) bool {
	for _, typ := range []string{"router ", "listener ", "tcpListener ", "tcpConnector ", "sslProfile ", "log ", "site ", "network ", "policy ", "connector ", "router.config.address "} {
		if strings.HasPrefix(name, "QUERY "+typ) {
			return true
		}
	}
	return false
}

func firstCell(table amqp.Map, column int) any {
	rows, _ := table.Get("results").(amqp.List)
	for _, row := range rows {
		if cells := row.(amqp.List); cells[column] != nil {
			return cells[column]
		}
	}
	return nil
}
