package linkstate

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/router/amqp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt")

// TestTranscripts runs the scripts of testdata against router A. A script is a
// list of commands, and under each what the engine did, with the time if time
// passed: "< " a message sent, "> " the links on which a message goes on, "! "
// an event, "+ " and "- " addresses of others, "= " reachable routers. A HELLO
// is printed only if it says something new or goes to other links. Commands:
//
//	up LINK cost=1 | down LINK
//	hello LINK from=B boot=1 seen=A,C
//	ra LINK from=B boot=1 ls=1 mobile=1
//	lsr LINK from=B
//	lsu LINK from=B boot=1 ls=1 peers=A:1,C:1
//	mar LINK from=B have=1
//	mau LINK from=B seq=1 exist=Mx:3,My or add=Mx:3 del=My
//	add Mx treatment=3 producers=0 mesh=m | remove Mx
//	wait 1s
//
// Messages may also have to= (default A, but all for ra and mau), ingress=,
// trace=B,C, pv=, floods= and age= of a copied lsu and boot= of a copied mau, and
// known= and want= of an exchange as B:boot:ls:mobile.
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
			got := newStage(t, Config{ID: "A", Instance: 100, Seed: 1}).run(string(want))
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

// stage is an engine that is told what happens and prints what it does.
type stage struct {
	t     *testing.T
	e     *Engine
	now   time.Time
	wake  time.Time
	begin time.Time // of the current command
	hello string    // last one printed
	out   strings.Builder
}

var epoch = time.Unix(1_800_000_000, 0)

func newStage(t *testing.T, cfg Config) *stage {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, e: e, now: epoch, begin: epoch}
	s.step(nil)
	s.out.Reset()
	return s
}

// run executes the commands of a script and returns it with fresh reactions.
func (s *stage) run(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case len(line) > 1 && strings.Contains("<>!+-=", line[:1]) && line[1] == ' ':
			continue
		case line == "" || line[0] == '#':
			fmt.Fprintln(&s.out, line)
			continue
		}
		fmt.Fprintln(&s.out, line)
		s.begin = s.now
		words := strings.Fields(line)
		args := map[string]string{}
		for _, w := range words[min(2, len(words)):] {
			key, value, _ := strings.Cut(w, "=")
			args[key] = value
		}
		if len(words) < 2 {
			s.t.Fatalf("command %q of one word", line)
		}
		s.command(words[0], words[1], args)
	}
	return s.out.String()
}

func (s *stage) command(verb, object string, args map[string]string) {
	switch verb {
	case "wait":
		d, err := time.ParseDuration(object)
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d)
	case "up":
		s.step(LinkUp{Link: s.link(object), Cost: int(s.number(args["cost"]))})
	case "down":
		s.step(LinkDown{Link: s.link(object)})
	case "add":
		s.step(AddressAdded{Key: object, Attributes: Attributes{
			Treatment: int32(s.number(args["treatment"])), Producers: int32(s.number(args["producers"])), Mesh: args["mesh"],
		}})
	case "remove":
		s.step(AddressRemoved{Key: object})
	default:
		s.step(s.message(verb, object, args))
	}
}

// wait lets time pass, with a step whenever the engine wants one.
func (s *stage) wait(d time.Duration) {
	end := s.now.Add(d)
	for steps := 0; !s.wake.After(end); steps++ {
		if steps > 100_000 {
			s.t.Fatalf("%d steps in %v", steps, d)
		}
		s.now = s.wake
		s.step(Tick{})
	}
	s.now = end
}

func (s *stage) step(in Input) Output {
	s.t.Helper()
	out := s.e.Step(s.now, in)
	if !out.Wake.After(s.now) {
		s.t.Fatalf("at %v wants to be woken at %v", s.now.Sub(epoch), out.Wake.Sub(epoch))
	}
	s.wake = out.Wake
	s.print(out)
	return out
}

func (s *stage) link(text string) LinkID { return LinkID(s.number(text)) }

func (s *stage) number(text string) int64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func fields(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// message makes a message as another router would.
func (s *stage) message(verb, link string, args map[string]string) Received {
	from, boot := args["from"], s.number(args["boot"])
	to := args["to"]
	if to == "" && verb != "ra" && verb != "mau" {
		to = "A"
	}
	address, addresses := toAll, toAllAddresses
	if to != "" && to != "all" {
		address, addresses = toRouter(to), toRouterAddresses(to)
	}
	in := Received{Link: s.link(link), To: address, Ingress: "0/" + from}
	switch verb {
	case "hello":
		in.To, in.Sections = toNeighbors, composeHello(from, boot, fields(args["seen"]))
	case "ra":
		in.Sections = composeRA(address, from, boot, s.number(args["ls"]), s.number(args["mobile"]))
		if known, ok := args["known"]; ok {
			in.Sections = composeDigests(address, RA, from, "known", s.digests(known),
				amqp.Pair{Key: "instance", Value: boot}, amqp.Pair{Key: "ls_seq", Value: s.number(args["ls"])}, amqp.Pair{Key: "mobile_seq", Value: s.number(args["mobile"])})
		}
	case "lsr":
		in.Sections = composeLSR(address, from)
		if want, ok := args["want"]; ok {
			in.Sections = composeDigests(address, LSR, from, "want", s.digests(want))
		}
	case "lsu":
		body := linkStateBody(from, boot, s.number(args["ls"]), s.peers(args["peers"]))
		if age, ok := args["age"]; ok {
			body = append(body, amqp.Pair{Key: "age", Value: s.number(age)}, amqp.Pair{Key: "floods", Value: args["floods"] != ""})
		}
		in.Sections = compose(address, LSU, body)
	case "mar":
		in.To, in.Sections = addresses, composeMAR(addresses, from, s.number(args["have"]))
	case "mau":
		in.To = addresses
		if exist, ok := args["exist"]; ok {
			in.Sections = composeAbsoluteMAU(addresses, from, s.number(args["seq"]), s.announced(exist))
			if boot != 0 {
				in.Sections = withField(s.t, in.Sections, "instance", boot)
			}
		} else {
			in.Sections = composeDifferentialMAU(from, s.number(args["seq"]), s.announced(args["add"]), fields(args["del"]))
		}
	default:
		s.t.Fatalf("unknown command %q", verb)
	}
	if pv := args["pv"]; pv != "" {
		in.Sections = withField(s.t, in.Sections, "pv", s.number(pv))
	}
	if ingress, ok := args["ingress"]; ok {
		in.Ingress = "0/" + ingress
	}
	in.Trace = []string{in.Ingress}
	if trace, ok := args["trace"]; ok {
		in.Trace = nil
		for _, id := range fields(trace) {
			in.Trace = append(in.Trace, "0/"+id)
		}
	}
	return in
}

// withField sets a number in the body of a message.
func withField(tb rapid.TB, sections []byte, key string, v int64) []byte {
	m, err := amqp.ParseMessage(sections)
	if err != nil {
		tb.Fatal(err)
	}
	body := m.Value.(amqp.Map)
	at := slices.IndexFunc(body, func(p amqp.Pair) bool { k, _ := text(p.Key); return k == key })
	if at < 0 {
		at = len(body)
		body = append(body, amqp.Pair{Key: amqp.Symbol(key)})
	}
	body[at].Value = v
	m.Value = body
	return m.AppendWide(nil, 6)
}

func (s *stage) peers(list string) (peers []peer) {
	for _, word := range fields(list) {
		id, cost, _ := strings.Cut(word, ":")
		peers = append(peers, peer{id, int32(s.number(cost))})
	}
	return peers
}

func (s *stage) digests(list string) (digests []digest) {
	for _, word := range fields(list) {
		parts := strings.Split(word, ":")
		digests = append(digests, digest{parts[0], s.number(parts[1]), s.number(parts[2]), s.number(parts[3])})
	}
	return digests
}

func (s *stage) announced(list string) (all []announced) {
	for _, word := range fields(list) {
		key, treatment, said := strings.Cut(word, ":")
		a := announced{key, Attributes{Treatment: NoTreatment}}
		if said {
			a.Treatment = int32(s.number(treatment))
		}
		all = append(all, a)
	}
	return all
}

// print writes what a step did.
func (s *stage) print(out Output) {
	s.t.Helper()
	when := ""
	if d := s.now.Sub(s.begin); d > 0 {
		when = d.Round(time.Millisecond).String() + " "
	}
	line := func(mark, format string, args ...any) {
		fmt.Fprintf(&s.out, "%s %s%s\n", mark, when, fmt.Sprintf(format, args...))
	}
	for _, ev := range out.Events {
		if ev.Kind != TopologyComputed || out.Reach == nil {
			line("!", "%v", ev)
		}
	}
	if out.Reach != nil {
		line("=", "%s", s.reachable(out.Reach))
	}
	for _, c := range out.Addresses {
		if c.Removed {
			line("-", "%s %s", c.Router, c.Key)
		} else {
			line("+", "%s %s %s", c.Router, c.Key, attributes(c.Attributes))
		}
	}
	for _, m := range out.Send {
		said := s.said(m)
		if m.Opcode == HELLO {
			if said == s.hello {
				continue
			}
			s.hello = said
		}
		line("<", "%s", said)
	}
	if len(out.Relay) > 0 {
		line(">", "relay on %s", linkList(out.Relay))
	}
}

func attributes(a Attributes) string {
	text := ""
	if a.Treatment != NoTreatment {
		text = fmt.Sprintf("treatment=%d ", a.Treatment)
	}
	text += fmt.Sprintf("producers=%d", a.Producers)
	if a.Mesh != "" {
		text += " mesh=" + a.Mesh
	}
	return text
}

func (s *stage) reachable(r *Reach) string {
	var all []string
	for _, to := range r.Routers {
		if to.Link != 0 {
			all = append(all, fmt.Sprintf("%s:%d via %s on %d", to.ID, to.Cost, r.Routers[to.NextHop].ID, to.Link))
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return "nobody"
	}
	return strings.Join(all, ", ")
}

func linkList(ids []LinkID) string {
	var all []string
	for _, id := range ids {
		all = append(all, strconv.FormatUint(uint64(id), 10))
	}
	return strings.Join(all, ",")
}

// said prints a message of the engine and checks its address.
func (s *stage) said(m Message) string {
	s.t.Helper()
	b, err := decode(m.Sections)
	parsed, err2 := amqp.ParseMessage(m.Sections)
	if err != nil || err2 != nil || b.op != m.Opcode {
		s.t.Fatalf("sends %s that reads as %s: %v, %v", m.Opcode, b.op, err, err2)
	}
	scope, id := destination(parsed.Properties.To)
	if id != m.Router || (scope == neighbors) != (b.op == HELLO) || scope == foreign {
		s.t.Errorf("%s for %q is addressed to %q", b.op, m.Router, parsed.Properties.To)
	}
	text := fmt.Sprintf("%s on %s", b.op, linkList(m.Links))
	if scope == one {
		text += " to " + id
	}
	if b.id != s.e.cfg.ID {
		text += fmt.Sprintf(" copy of %s boot=%d", b.id, b.instance)
	}
	switch b.op {
	case HELLO:
		text += fmt.Sprintf(" seen=%s", strings.Join(b.seen, ","))
	case RA:
		text += fmt.Sprintf(" ls=%d mobile=%d", b.lsSeq, b.mobileSeq)
		if b.digests != nil {
			text += " known=" + digestList(b.digests)
		}
	case LSR:
		if b.digests != nil {
			text += " want=" + digestList(b.digests)
		}
	case LSU:
		var peers []string
		for _, p := range b.peers {
			peers = append(peers, fmt.Sprintf("%s:%d", p.id, p.cost))
		}
		text += fmt.Sprintf(" ls=%d peers=%s", b.lsSeq, strings.Join(peers, ","))
	case MAR:
		text += fmt.Sprintf(" have=%d", b.haveSeq)
	case MAU:
		var list []string
		for _, a := range b.exist {
			list = append(list, fmt.Sprintf("%s[%s]", a.key, attributes(a.Attributes)))
		}
		kind := "add"
		if b.absolute {
			kind = "exist"
		}
		text += fmt.Sprintf(" seq=%d %s=%s", b.mobileSeq, kind, strings.Join(list, ","))
		if len(b.removed) > 0 {
			text += " del=" + strings.Join(b.removed, ",")
		}
	}
	return text
}

func digestList(all []digest) string {
	var list []string
	for _, d := range all {
		list = append(list, fmt.Sprintf("%s:%d:%d:%d", d.id, d.instance, d.lsSeq, d.mobileSeq))
	}
	return strings.Join(list, ",")
}
