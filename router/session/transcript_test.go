package session

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt")

// TestTranscripts runs the scripts of testdata. A script is a list of commands,
// and under each what the engine did: "< " a frame that it emitted, "! " an
// event. Commands:
//
//	peer FRAME key=value …    the peer sends a performative
//	attach NAME … | accept NAME … | refuse NAME … | detach NAME …
//	send DELIVERY on=NAME …   begins a delivery; then write, end, abort, settle
//	update NAME state=…       a disposition for the last delivery of a link
//	close …
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStage(t).run(string(want))
			switch {
			case got == string(want):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

// stage is an engine with names for its links and deliveries.
type stage struct {
	*peer
	links      map[string]*Link
	deliveries map[string]*Outgoing
	incoming   map[string]*Incoming // the last of each link
	out        strings.Builder
}

func newStage(t *testing.T) *stage {
	p := testParams()
	p.Window = 8
	return &stage{
		peer:  newPeer(t, p, 0),
		links: map[string]*Link{}, deliveries: map[string]*Outgoing{}, incoming: map[string]*Incoming{},
	}
}

// run executes the commands of a script and returns it with fresh reactions.
func (s *stage) run(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "< "), strings.HasPrefix(line, "! "):
			continue
		case line == "" || line[0] == '#':
			fmt.Fprintln(&s.out, line)
			continue
		}
		fmt.Fprintln(&s.out, line)
		words := strings.Fields(line)
		s.command(words[0], words[1], arguments(words))
		for p, payload, ch := s.next(); p != nil; p, payload, ch = s.next() {
			fmt.Fprintf(&s.out, "< %d %s\n", ch, describe(p, payload))
		}
	}
	return s.out.String()
}

// arguments are the key=value words of a command; a bare word is true.
func arguments(words []string) map[string]string {
	args := map[string]string{}
	for _, w := range words[1:] {
		key, value, found := strings.Cut(w, "=")
		if !found {
			value = "true"
		}
		args[key] = value
	}
	return args
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if s != "" && err != nil {
		panic(err)
	}
	return uint32(n)
}

func failure(args map[string]string) *amqp.Error {
	if args["error"] == "" {
		return nil
	}
	return &amqp.Error{Condition: amqp.Symbol(args["error"])}
}

func state(args map[string]string) amqp.State {
	codes := map[string]amqp.StateCode{
		"": amqp.StateNone, "received": amqp.StateReceived, "accepted": amqp.StateAccepted,
		"rejected": amqp.StateRejected, "released": amqp.StateReleased, "modified": amqp.StateModified,
	}
	return amqp.State{Code: codes[args["state"]], Offset: uint64(number(args["offset"])), Error: failure(args)}
}

func (s *stage) command(verb, name string, args map[string]string) {
	credit := Credit{Window: number(args["credit"]), OnSettle: args["on-settle"] != ""}
	termini := &amqp.Attach{Name: name, Source: &amqp.Source{}, Target: &amqp.Target{}, SndSettleMode: amqp.SndMixed}
	switch verb {
	case "peer":
		s.peerSends(name, args)
	case "attach":
		termini.Role = args["role"] == "receiver"
		s.links[name], _ = s.e.Attach(int(number(args["class"])), termini, credit)
	case "accept":
		s.links[name].Accept(termini, credit)
	case "refuse":
		s.links[name].Refuse(failure(args))
	case "detach":
		s.links[name].Detach(failure(args))
	case "send":
		s.deliveries[name] = &Outgoing{}
		s.links[args["on"]].Send(s.deliveries[name], args["settled"] != "")
	case "write":
		s.deliveries[name].WriteBytes([]byte(args["body"]), args["more"] != "")
	case "end":
		s.deliveries[name].End(args["settled"] != "")
	case "abort":
		s.deliveries[name].Abort()
	case "settle":
		st := state(args)
		s.deliveries[name].Settle(&st)
	case "update":
		st := state(args)
		s.incoming[name].Update(&st, args["settled"] != "")
	case "close":
		s.e.Close(failure(args))
	default:
		s.t.Fatalf("unknown command %q", verb)
	}
}

func (s *stage) peerSends(frame string, args map[string]string) {
	role := amqp.Role(args["role"] == "receiver")
	var p amqp.Performative
	switch frame {
	case "begin":
		p = &amqp.Begin{HasRemoteChannel: args["answers"] != "", RemoteChannel: uint16(number(args["answers"])), IncomingWindow: number(args["window"]), HandleMax: 100}
	case "attach":
		a := &amqp.Attach{Name: args["name"], Handle: number(args["handle"]), Role: role, Source: &amqp.Source{}, Target: &amqp.Target{}}
		if args["null"] != "" {
			a.Source, a.Target = nil, nil
		}
		p = a
	case "flow":
		p = &amqp.Flow{
			NextIncomingID: number(args["next"]), HasNextIncomingID: true, IncomingWindow: number(args["window"]),
			HasHandle: args["handle"] != "", Handle: number(args["handle"]), HasDeliveryCount: true, DeliveryCount: number(args["count"]),
			HasLinkCredit: true, LinkCredit: number(args["credit"]), Drain: args["drain"] != "", Echo: args["echo"] != "",
		}
	case "transfer":
		id := number(args["id"])
		p = &amqp.Transfer{
			Handle: number(args["handle"]), HasDeliveryID: args["id"] != "", DeliveryID: id, DeliveryTag: []byte{byte(id)},
			More: args["more"] != "", Settled: args["settled"] != "", Aborted: args["aborted"] != "",
		}
	case "disposition":
		first := number(args["first"])
		d := &amqp.Disposition{Role: role, First: first, Last: first, Settled: args["settled"] != "", State: state(args)}
		if args["last"] != "" {
			d.Last = number(args["last"])
		}
		p = d
	case "detach":
		p = &amqp.Detach{Handle: number(args["handle"]), Closed: args["closed"] != "", Error: failure(args)}
	case "end":
		p = &amqp.End{Error: failure(args)}
	case "close":
		p = &amqp.Close{Error: failure(args)}
	default:
		s.t.Fatalf("unknown frame %q", frame)
	}
	for _, ev := range s.peer.send(uint16(number(args["ch"])), p, []byte(args["body"])...) {
		s.note(ev)
	}
}

// note prints an event and remembers what it names.
func (s *stage) note(ev Event) {
	on := ""
	switch {
	case ev.Kind == EventAttached:
		s.links[ev.Link.Name()] = ev.Link
		on = " " + ev.Link.Name()
	case ev.Link != nil:
		on = " " + ev.Link.Name()
	case ev.In != nil:
		s.incoming[ev.In.Link().Name()] = ev.In
		on = " on " + ev.In.Link().Name()
	case ev.Out != nil:
		for name, out := range s.deliveries {
			if out == ev.Out {
				on = " of " + name
			}
		}
	}
	fmt.Fprintf(&s.out, "! %s%s\n", kinds([]Event{ev}), on)
}

// describe prints what matters of a frame.
func describe(p amqp.Performative, payload []byte) string {
	var b strings.Builder
	fmt.Fprint(&b, strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", p), "*amqp.")))
	add := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	fault := func(e *amqp.Error) { add(e != nil, "error=%v", e) }
	st := func(v amqp.State) {
		add(v.Code != amqp.StateNone, "state=%v", v.Code)
		add(v.Code == amqp.StateReceived, "offset=%d", v.Offset)
	}
	side := map[amqp.Role]string{amqp.RoleSender: "sender", amqp.RoleReceiver: "receiver"}
	switch p := p.(type) {
	case *amqp.Begin:
		add(p.HasRemoteChannel, "answers=%d", p.RemoteChannel)
		add(true, "window=%d", p.IncomingWindow)
	case *amqp.Attach:
		add(true, "name=%s handle=%d role=%s", p.Name, p.Handle, side[p.Role])
		add(p.Source == nil, "source=null")
		add(p.Target == nil, "target=null")
	case *amqp.Flow:
		add(true, "next=%d window=%d", p.NextIncomingID, p.IncomingWindow)
		add(p.HasHandle, "handle=%d count=%d credit=%d", p.Handle, p.DeliveryCount, p.LinkCredit)
		add(p.Drain, "drain")
	case *amqp.Transfer:
		add(true, "handle=%d id=%d", p.Handle, p.DeliveryID)
		add(p.More, "more")
		add(p.Settled, "settled")
		add(p.Aborted, "aborted")
		add(true, "%q", payload)
	case *amqp.Disposition:
		add(true, "role=%s first=%d last=%d", side[p.Role], p.First, p.Last)
		add(p.Settled, "settled")
		st(p.State)
	case *amqp.Detach:
		add(true, "handle=%d", p.Handle)
		add(p.Closed, "closed")
		fault(p.Error)
	case *amqp.End:
		fault(p.Error)
	case *amqp.Close:
		fault(p.Error)
	}
	return b.String()
}
