package router

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// field is one of a performative: where it is, whether it must be there, and a
// value of another type.
type field struct {
	name      string
	mandatory bool
	wrong     any
}

// TestFieldsOfPerformatives gives each field of each performative null, nothing
// at all, an empty value, the highest or a long one, and one of another type.
// The router answers what AMQP does not allow with an error, and what it allows
// not with one that it has made up; it goes on for others in any case.
func TestFieldsOfPerformatives(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("clients", "normal", attrs{"initialHandshakeTimeoutSeconds": 5})
	n.offers("in", "svc")
	n.serves("out", "svc", serve(t, echo))
	n.start()
	others := dial(t, n.address("in"))
	text, number := any("x"), any(uint32(1))
	symbols, fields := []amqp.Symbol{"a"}, amqp.Map{{Key: amqp.Symbol("k"), Value: "v"}}
	m := (&amqp.Message{Properties: &amqp.Properties{To: "svc"}, Kind: amqp.BodyValue, Value: "x"}).Append(nil)
	began := func(x *rogue) { x.begins() }
	attached := func(x *rogue) { x.begins().attaches("").credited() }
	for _, c := range []struct {
		name    string
		p       amqp.Performative
		before  func(x *rogue) // nil: it is the first that is said
		payload []byte
		fields  []field
	}{
		{"open", &amqp.Open{
			ContainerID: "x", Hostname: "host", MaxFrameSize: 16384, ChannelMax: 100, IdleTimeOut: 60_000, OutgoingLocales: symbols, IncomingLocales: symbols,
			OfferedCapabilities: symbols, DesiredCapabilities: symbols, Properties: fields,
		}, nil, nil, []field{
			{"container-id", true, number},
			{"hostname", false, number},
			{"max-frame-size", false, text},
			{"channel-max", false, text},
			{"idle-time-out", false, text},
			{"outgoing-locales", false, number},
			{"incoming-locales", false, number},
			{"offered-capabilities", false, number},
			{"desired-capabilities", false, number},
			{"properties", false, number},
		}},
		{"begin", &amqp.Begin{
			IncomingWindow: 10, OutgoingWindow: 10, HandleMax: 10, OfferedCapabilities: symbols, DesiredCapabilities: symbols, Properties: fields,
		}, func(*rogue) {}, nil, []field{
			{"remote-channel", false, text},
			{"next-outgoing-id", true, text},
			{"incoming-window", true, text},
			{"outgoing-window", true, text},
			{"handle-max", false, text},
			{"offered-capabilities", false, number},
			{"desired-capabilities", false, number},
			{"properties", false, number},
		}},
		{"attach", &amqp.Attach{
			Name: "a", Role: amqp.RoleSender, SndSettleMode: amqp.SndMixed, RcvSettleMode: amqp.RcvSecond, Source: &amqp.Source{Address: "s"}, Target: &amqp.Target{Address: "t"},
			Unsettled: amqp.Map{{Key: []byte("tag")}}, IncompleteUnsettled: true, HasInitialDeliveryCount: true, MaxMessageSize: 1 << 20,
			OfferedCapabilities: symbols, DesiredCapabilities: symbols, Properties: fields,
		}, began, nil, []field{
			{"name", true, number},
			{"handle", true, text},
			{"role", true, text},
			{"snd-settle-mode", false, text},
			{"rcv-settle-mode", false, text},
			{"source", false, text},
			{"target", false, text},
			{"unsettled", false, text},
			{"incomplete-unsettled", false, text},
			{"initial-delivery-count", false, text},
			{"max-message-size", false, text},
			{"offered-capabilities", false, number},
			{"desired-capabilities", false, number},
			{"properties", false, number},
		}},
		{"flow", &amqp.Flow{
			HasNextIncomingID: true, IncomingWindow: 10, OutgoingWindow: 10, HasHandle: true, HasDeliveryCount: true, LinkCredit: 10, HasLinkCredit: true,
			Drain: true, Echo: true, Properties: fields,
		}, attached, nil, []field{
			{"next-incoming-id", false, text},
			{"incoming-window", true, text},
			{"next-outgoing-id", true, text},
			{"outgoing-window", true, text},
			{"handle", false, text},
			{"delivery-count", false, text},
			{"link-credit", false, text},
			{"available", false, text},
			{"drain", false, text},
			{"echo", false, text},
			{"properties", false, number},
		}},
		{"transfer", &amqp.Transfer{
			Handle: 0, HasDeliveryID: true, DeliveryTag: []byte("tag"), HasMessageFormat: true, Settled: true, More: true, RcvSettleMode: amqp.RcvSecond, HasRcvSettleMode: true,
			State: amqp.State{Code: amqp.StateAccepted}, Resume: true, Aborted: true, Batchable: true,
		}, attached, m, []field{
			{"handle", true, text},
			{"delivery-id", false, text},
			{"delivery-tag", false, number},
			{"message-format", false, text},
			{"settled", false, text},
			{"more", false, text},
			{"rcv-settle-mode", false, text},
			{"state", false, text},
			{"resume", false, text},
			{"aborted", false, text},
			{"batchable", false, text},
		}},
		{"disposition", &amqp.Disposition{
			Role: amqp.RoleReceiver, First: 1, Last: 2, Settled: true, State: amqp.State{Code: amqp.StateAccepted}, Batchable: true,
		}, attached, nil, []field{
			{"role", true, text},
			{"first", true, text},
			{"last", false, text},
			{"settled", false, text},
			{"state", false, text},
			{"batchable", false, text},
		}},
		{"detach", &amqp.Detach{Closed: true, Error: &amqp.Error{Condition: "x"}}, attached, nil, []field{
			{"handle", true, text},
			{"closed", false, text},
			{"error", false, text},
		}},
		{"end", &amqp.End{Error: &amqp.Error{Condition: "x"}}, attached, nil, []field{{"error", false, text}}},
		{"close", &amqp.Close{Error: &amqp.Error{Condition: "x"}}, attached, nil, []field{{"error", false, text}}},
	} {
		values := listOf(t, c.p)
		for i, f := range c.fields {
			for kind, value := range map[string]any{"null": nil, "empty": emptyLike(values, i), "extreme": extremeLike(values, i), "of another type": f.wrong, "missing": nil} {
				list := slices.Clone(values)
				for len(list) <= i {
					list = append(list, nil)
				}
				if list[i] = value; kind == "missing" {
					list = list[:i] // and what follows it
				}
				body := amqp.AppendValue(amqp.AppendDescriptor(nil, codeOf(t, c.p)), list)
				x := newRogue(t, host, port)
				if c.before != nil {
					x.opens("x")
					c.before(x)
				} else {
					x.write([]byte(amqp.ProtocolHeaderAMQP)...)
				}
				x.write(raw(0, append(body, c.payload...)...)...)
				x.send(9, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1, HandleMax: 1}) // which is answered
				_ = x.nc.SetReadDeadline(time.Now().Add(patience))
				got := x.complaint()
				must := kind == "of another type" || f.mandatory && (kind == "null" || kind == "missing")
				if refused := strings.HasPrefix(got, "amqp:"); !refused && (must || got != "fine") {
					t.Errorf("%s: %s is %s: answered with %q", c.name, f.name, kind, got)
				}
				_ = x.nc.Close()
			}
		}
	}
	for i := range 3 { // mechanism, initial-response, hostname
		for _, value := range []any{nil, amqp.Symbol(""), []byte{}, uint32(7), amqp.List(nil), amqp.Map{}} {
			list := amqp.List{amqp.Symbol("ANONYMOUS"), []byte("x"), "host"}
			list[i] = value
			f := amqp.AppendValue(amqp.AppendDescriptor(amqp.AppendFrameHeader(nil, amqp.FrameSASL, 0), amqp.CodeSASLInit), list)
			amqp.FinishFrame(f)
			x := newRogue(t, host, port)
			x.write([]byte(amqp.ProtocolHeaderSASL)...)
			x.write(f...)
			x.write(raw(0, 0x40)...) // no AMQP header, so that it ends in any case
			if err := x.closedWithin(patience); err != nil {
				t.Errorf("sasl-init: field %d is %#v: %v", i, value, err)
			}
			_ = x.nc.Close()
		}
	}
	if err := roundTrip(others, "still there"); err != nil {
		t.Error(err)
	}
	eventually(t, "nothing is left of them", func() error {
		if left := len(n.peersOf("clients")); left > 0 {
			return fmt.Errorf("%d connections", left)
		}
		return nil
	})
}

// complaint reads until the router answers session 9, ends the connection, or
// says what is wrong, and returns that.
func (x *rogue) complaint() string {
	for {
		p, _, _, err := x.next()
		var failed *amqp.Error
		switch p := p.(type) {
		case *amqp.Begin:
			if p.HasRemoteChannel && p.RemoteChannel == 9 {
				return "fine"
			}
		case *amqp.Close:
			if failed = p.Error; failed == nil {
				return "fine"
			}
		case *amqp.End:
			failed = p.Error
		case *amqp.Detach:
			failed = p.Error
		}
		if failed != nil {
			return condition(failed)
		}
		if err != nil {
			return err.Error()
		}
	}
}

func listOf(t *testing.T, p amqp.Performative) amqp.List {
	t.Helper()
	v, _, err := amqp.DecodeValue(p.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return v.(amqp.Described).Value.(amqp.List)
}

func codeOf(t *testing.T, p amqp.Performative) uint64 {
	t.Helper()
	code, err := amqp.Descriptor(p.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// emptyLike is what the field holds with nothing in it.
func emptyLike(list amqp.List, i int) any {
	if i >= len(list) {
		return nil
	}
	switch v := list[i].(type) {
	case string:
		return ""
	case []byte:
		return []byte{}
	case amqp.Symbol:
		return amqp.Symbol("")
	case amqp.Map:
		return amqp.Map{}
	case amqp.Described:
		return amqp.Described{Descriptor: v.Descriptor, Value: amqp.List(nil)}
	case uint32:
		return uint32(0)
	case bool:
		return false
	}
	return nil
}

// extremeLike is the highest or a long value of what the field holds.
func extremeLike(list amqp.List, i int) any {
	if i >= len(list) {
		return uint32(math.MaxUint32)
	}
	many := strings.Repeat("x", 2000)
	switch v := list[i].(type) {
	case string:
		return many
	case []byte:
		return []byte(many)
	case []amqp.Symbol:
		return slices.Repeat([]amqp.Symbol{"x"}, 2000)
	case amqp.Map:
		m := amqp.Map{}
		for n := range 500 {
			m = append(m, amqp.Pair{Key: amqp.Symbol(fmt.Sprint("x", n)), Value: uint64(math.MaxUint64)})
		}
		return m
	case amqp.Described:
		return amqp.Described{Descriptor: v.Descriptor, Value: amqp.List{many, many, many}}
	case uint8:
		return uint8(math.MaxUint8)
	case uint16:
		return uint16(math.MaxUint16)
	case uint32:
		return uint32(math.MaxUint32)
	case uint64:
		return uint64(math.MaxUint64)
	}
	return list[i]
}

// TestClaimsAboutEverything: what is said of all deliveries that there can be
// costs no more than what is said of one.
func TestClaimsAboutEverything(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("clients", "normal", nil)
	n.start()
	x := newRogue(t, host, port).opens("x").begins().attaches("").credited()
	for _, role := range []amqp.Role{amqp.RoleReceiver, amqp.RoleSender} {
		for _, settled := range []bool{false, true} {
			for range 50 {
				x.send(0, &amqp.Disposition{Role: role, Last: 1<<32 - 1, Settled: settled, State: amqp.State{Code: amqp.StateAccepted}})
			}
		}
	}
	x.send(9, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1, HandleMax: 1})
	if got := x.complaint(); got != "fine" && !strings.HasPrefix(got, "amqp:") {
		t.Errorf("answered with %q", got)
	}
}
