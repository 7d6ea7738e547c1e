package router

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/stream"
)

// A play is a recording in which a router of ours takes the part of one of
// upstream's, on one connection or more.
type play struct {
	name  string
	set   func(n *node, pl *play)
	parts []part

	client *tls.Config // of the peer, or nil; that of a listener if our router dials

	// cues are what happened to the recorded router from outside before it
	// said something.
	cues map[string]func(n *node)

	// Of plays with streams. They are compared instead of what routers say to
	// each other, which the plays without them compare.
	streams bool
	dials   func(n *node, name string) net.Conn // a client of our router
	accepts func(c net.Conn) net.Conn           // a server of our router, or nil: the connection as it is
	lazy    bool                                // the server reads when the recorded client has to wait
	resets  bool                                // a client or server of our router ends by a reset
	long    bool                                // 8 MiB and more
	abrupt  bool                                // one of any router does
	cut     []string                            // links that end with the recording
	flows   *flows                              // while it runs

	// Parts of lines: later is said when more has been heard than in the
	// recording, unsaid is not said by ours, added is said by ours only.
	later, unsaid, added []string
}

// part is a recorded connection and the end of it that ours takes.
type part struct {
	capture string
	side    captures.Side
	name    string        // of the connector or the listener
	after   time.Duration // the first connection
}

// stage is one connection of a play while it is played.
type stage struct {
	*rogue
	part
	frames []captures.Frame
	peer   string // its id

	// Of the recording.
	answers map[uint16]bool // channels on which the peer answered sessions
	mine    map[string]string
	links   map[string]string // what a link of either side is, by side, channel and handle
	names   map[string]string // of links, likewise
	partial map[string][]byte

	greeted bool   // SASL is over
	flows   *flows // streams, of all stages of the play; nil: they are left out

	mu     *sync.Mutex             // of all stages of the play
	moved  *sync.Cond              // of mu
	next   map[uint16]uint32       // Guarded by mu: delivery ids that the peer will use, by channel.
	said   map[string]bool         // Guarded by mu: lines of ours.
	order  []string                // Guarded by mu: the same as they came.
	live   map[string]*liveLink    // Guarded by mu: links that ours began, by what they are.
	named  map[string]*liveLink    // Guarded by mu: by channel and handle of ours.
	halves map[string][]byte       // Guarded by mu: messages of ours that are not complete.
	over   error                   // Guarded by mu.
	back   map[string]amqp.Attach  // Guarded by mu: links that the peer began, by name
	owner  map[string]*amqp.Attach // Guarded by mu: the same by channel and handle of ours

	granted map[string]bool   // Guarded by mu: links of the peer that have had credit, by name.
	channel map[uint16]uint16 // Guarded by mu: of the peer, by that of our router.
	written map[uint16]uint32 // Guarded by mu: transfers of the peer, by channel.
	window  map[uint16]uint32 // Guarded by mu: how many there may be.
	hello   []byte            // Guarded by mu: the last one.
	helloOn liveLink          // Guarded by mu.
}

// liveLink is a link that our router began.
type liveLink struct {
	is     string
	ch     uint16 // of the answer
	handle uint32
	sends  bool
	credit uint32
}

func slot(ch uint16, handle uint32) string { return fmt.Sprintf("%d/%d", ch, handle) }

func sideSlot(s captures.Side, ch uint16, handle uint32) string {
	return s.String() + " " + slot(ch, handle)
}

// Random in every run.
var (
	randomSource = regexp.MustCompile(`(sfe|vfcr)\.[A-Za-z0-9+_-]{5}:[0-9]+`)
	randomTemp   = regexp.MustCompile(`temp\.[A-Za-z0-9+_-]{15}`)
)

// flooded says the same to one router or to all. Which of the two is up to the
// sender: a flood spares an answer.
var flooded = regexp.MustCompile(`^(amqp:/)?_topo/0/[^/]+/qdrouter(\.ma)?$`)

func masked(s string) string {
	return randomTemp.ReplaceAllString(randomSource.ReplaceAllString(s, "$1.*"), "temp.*")
}

// whatIs describes a link by what it is for.
func whatIs(a *amqp.Attach) string {
	var b strings.Builder
	if a.Role == amqp.RoleReceiver {
		b.WriteString("receiver")
	} else {
		b.WriteString("sender")
	}
	if s := a.Source; s != nil {
		fmt.Fprintf(&b, " from %v%v", cmp.Or(fmt.Sprint(s.Address), "<nil>"), s.Capabilities)
	}
	if s := a.Target; s != nil {
		fmt.Fprintf(&b, " to %v%v", cmp.Or(fmt.Sprint(s.Address), "<nil>"), s.Capabilities)
	}
	return masked(b.String())
}

// whatOpens describes an open without what is random or names a version, and
// without what ours chooses otherwise: longer frames, no correlator for data
// connections that are not wanted, and capabilities of its own in its own name.
func whatOpens(o *amqp.Open) string {
	var properties []string
	for _, p := range o.Properties {
		switch k := fmt.Sprint(p.Key); k {
		case "qd.group-correlator":
		case "qd.conn-id", "qd.access-id", "version", "product":
			properties = append(properties, k)
		default:
			properties = append(properties, fmt.Sprintf("%s=%v", k, p.Value))
		}
	}
	slices.Sort(properties)
	offers := slices.DeleteFunc(slices.Clone(o.OfferedCapabilities), func(c amqp.Symbol) bool { return strings.HasPrefix(string(c), "skupper-host:") })
	return fmt.Sprintf("open %s, %d channels, idle %d, offers %v, desires %v, %s",
		o.ContainerID, o.ChannelMax, o.IdleTimeOut, offers, o.DesiredCapabilities, strings.Join(properties, " "))
}

// whatSays describes a message in lines: one, or for addresses that are
// announced one for each. Sequence numbers and instances are left out: they are
// a router's own affair.
func whatSays(link string, message []byte) []string {
	m, err := amqp.ParseMessage(message)
	if err != nil {
		return []string{fmt.Sprintf("on %s: %v", link, err)}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "on %s:", link)
	if a := m.Annotations; a != nil {
		fmt.Fprintf(&b, " from %s by %v", a.Ingress, a.Trace)
	}
	op := ""
	for _, p := range m.ApplicationProperties {
		switch k := fmt.Sprint(p.Key); k {
		case "meshid", "id", "ordinal":
			fmt.Fprintf(&b, " %v=*", k)
		default:
			if op = fmt.Sprint(p.Value); k != "opcode" {
				op = ""
			}
			fmt.Fprintf(&b, " %T %v=%v", p.Key, k, p.Value)
		}
	}
	if p := m.Properties; p != nil {
		to := fmt.Sprint(p.To)
		if flooded.MatchString(to) && (op == "LSU" || op == "RA" || op == "MAU") {
			to = "routers"
		}
		fmt.Fprintf(&b, " to %s %s", to, p.Subject)
	}
	head := masked(b.String())
	body, ok := m.Value.(amqp.Map)
	if !ok {
		return []string{masked(head + fmt.Sprintf(" %v", m.Value))}
	}
	var rest []string
	var lines []string
	for _, p := range body {
		switch k := fmt.Sprint(p.Key); k {
		case "instance", "ls_seq", "mobile_seq", "have_seq":
			rest = append(rest, fmt.Sprintf("%T %s=%T", p.Key, k, p.Value))
		case "ls":
			var text []string
			for _, q := range p.Value.(amqp.Map) {
				if fmt.Sprint(q.Key) == "ls_seq" {
					q.Value = fmt.Sprintf("%T", q.Value)
				}
				text = append(text, fmt.Sprintf("%v=%v", q.Key, q.Value))
			}
			rest = append(rest, fmt.Sprintf("ls=%v", text))
		case "exist", "add", "del":
			list, _ := p.Value.(amqp.List)
			for _, e := range list {
				verb := "has"
				if k == "del" {
					verb = "lost"
				}
				lines = append(lines, masked(fmt.Sprintf("%s MAU of %v %s %v", head, body[0].Value, verb, e)))
			}
		case "attributeNames", "results":
		default:
			rest = append(rest, fmt.Sprintf("%T %s=%v", p.Key, k, p.Value))
		}
	}
	if op == "MAU" {
		return lines
	}
	return []string{masked(head + " " + strings.Join(rest, " "))}
}

// apart tells what is not compared: streams and telemetry, which have tests of
// their own.
func apart(link string) bool {
	return strings.Contains(link, "vfcr.") || strings.Contains(link, "sfe.") || strings.Contains(link, "qd.router-data")
}

func isStream(message []byte) bool {
	p, whole, err := amqp.ScanPrefix(message)
	return err == nil && whole && string(p.ContentType) == stream.ContentType
}

// firstAnswer is where the channels begin on which the peer answers sessions:
// the recorded one used lower ones.
const firstAnswer = 1000

// lines are what a frame of the recording says, of the end that ours takes.
func (x *stage) lines(f captures.Frame) []string {
	if len(f.Data) == 0 {
		return nil
	}
	p, payload, ch := x.decode(f)
	switch p := p.(type) {
	case *amqp.Begin:
		x.flows.pairs(x, f.From, ch, p)
	case *amqp.Disposition:
		if x.flows != nil {
			return x.outcomeLines(f, p, ch)
		}
	case *amqp.Open:
		return []string{whatOpens(p)}
	case *amqp.Attach:
		x.links[sideSlot(f.From, ch, p.Handle)] = whatIs(p)
		x.names[sideSlot(f.From, ch, p.Handle)] = p.Name
		if _, answered := x.mine[p.Name]; answered {
			return nil
		}
		x.mine[p.Name] = whatIs(p)
		return []string{whatIs(p)}
	case *amqp.Detach:
		return nil
	case *amqp.Transfer:
		if x.flows != nil {
			if lines, ok := x.streamLines(f, p, payload, ch); ok {
				return lines
			}
		}
		at := sideSlot(f.From, ch, p.Handle)
		x.partial[at] = append(x.partial[at], payload...)
		if p.More {
			return nil
		}
		message := x.partial[at]
		delete(x.partial, at)
		if apart(x.links[at]) || isStream(message) {
			return nil
		}
		return whatSays(x.links[at], message)
	}
	return nil
}

func (x *stage) decode(f captures.Frame) (amqp.Performative, []byte, uint16) {
	if f.Header() || len(f.Data) == 8 || f.Data[5] == amqp.FrameSASL {
		return nil, nil, 0
	}
	p, payload, err := amqp.DecodePerformative(f.Data[int(f.Data[4])*4:])
	if err != nil {
		x.t.Fatal(err)
	}
	return p, payload, binary.BigEndian.Uint16(f.Data[6:])
}

// listen answers what our router begins and notes what it says.
func (x *stage) listen() {
	for {
		p, payload, ch, err := x.rogue.next()
		if err != nil {
			x.mu.Lock()
			x.over = err
			x.moved.Broadcast()
			x.mu.Unlock()
			return
		}
		x.hear(ch, p, payload)
	}
}

func (x *stage) say(line string) {
	if !x.said[line] {
		x.said[line] = true
		x.order = append(x.order, line)
	}
}

func (x *stage) hear(ch uint16, p amqp.Performative, payload []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.moved.Broadcast()
	switch p := p.(type) {
	case *amqp.Open:
		x.say(whatOpens(p))
	case *amqp.Begin:
		x.channel[ch] = p.RemoteChannel
		x.window[p.RemoteChannel] = p.IncomingWindow
		if !p.HasRemoteChannel {
			x.channel[ch] = firstAnswer + ch
			x.send(firstAnswer+ch, &amqp.Begin{HasRemoteChannel: true, RemoteChannel: ch, IncomingWindow: 1 << 30, OutgoingWindow: 1 << 30, HandleMax: 1 << 30})
		}
	case *amqp.Attach:
		if a, ok := x.back[p.Name]; ok {
			x.owner[slot(ch, p.Handle)] = &a
			return
		}
		l := &liveLink{is: whatIs(p), ch: firstAnswer + ch, handle: p.Handle, sends: p.Role == amqp.RoleSender}
		x.live[l.is], x.named[slot(ch, p.Handle)] = l, l
		x.say(l.is)
		a := *p
		a.Role, a.HasInitialDeliveryCount = !p.Role, true
		x.send(l.ch, &a)
		if l.sends {
			x.send(l.ch, generous(l.handle))
		}
	case *amqp.Detach:
		if l := x.named[slot(ch, p.Handle)]; l != nil {
			delete(x.named, slot(ch, p.Handle))
			x.send(l.ch, &amqp.Detach{Handle: l.handle, Closed: true})
		}
	case *amqp.Flow:
		if p.HasNextIncomingID {
			x.window[x.channel[ch]] = p.NextIncomingID + p.IncomingWindow
		}
		if !p.HasHandle {
			break
		}
		if l := x.named[slot(ch, p.Handle)]; l != nil {
			l.credit = p.DeliveryCount + p.LinkCredit
		} else if a := x.owner[slot(ch, p.Handle)]; a != nil && p.LinkCredit > 0 {
			x.granted[a.Name] = true
		}
	case *amqp.Disposition:
		if x.flows != nil && p.Role == amqp.RoleReceiver {
			x.hearOutcome(ch, p)
		}
	case *amqp.Transfer:
		if x.flows == nil || !x.hearStream(ch, p, payload) {
			x.hearMessage(ch, p, payload)
		}
	}
}

func (x *stage) hearMessage(ch uint16, p *amqp.Transfer, payload []byte) {
	at := slot(ch, p.Handle)
	x.halves[at] = append(x.halves[at], payload...)
	if p.More {
		return
	}
	message := x.halves[at]
	delete(x.halves, at)
	link := ""
	if l := x.named[at]; l != nil {
		link = l.is
	} else if a := x.owner[at]; a != nil {
		answer := *a
		answer.Role = !a.Role
		link = whatIs(&answer)
	}
	if !p.Settled {
		x.send(x.channel[ch], &amqp.Disposition{Role: amqp.RoleReceiver, First: p.DeliveryID, Last: p.DeliveryID, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
	}
	if apart(link) || isStream(message) {
		return
	}
	for _, line := range whatSays(link, message) {
		x.say(line)
	}
}

func generous(handle uint32) *amqp.Flow {
	return &amqp.Flow{
		HasNextIncomingID: true, IncomingWindow: 1 << 30, OutgoingWindow: 1 << 30, HasHandle: true, Handle: handle,
		HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 1 << 20,
	}
}

// await waits until ok, which is called with mu held.
func (x *stage) await(ok func() bool) bool {
	timeout := time.AfterFunc(patience, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.over = fmt.Errorf("not within %v", patience)
		x.moved.Broadcast()
	})
	defer timeout.Stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.over == nil && !ok() {
		x.moved.Wait()
	}
	return ok()
}

// speak says what the recorded peer said.
func (x *stage) speak(f captures.Frame) {
	if len(f.Data) == 0 {
		_ = x.nc.Close() // here the connection was cut
		return
	}
	p, payload, ch := x.decode(f)
	switch p := p.(type) {
	case nil:
		if !x.greeted || f.Header() && f.Data[4] == 0 || len(f.Data) == 8 && !f.Header() {
			x.write(f.Data...)
		}
	case *amqp.Begin:
		x.flows.pairs(x, f.From, ch, p)
		if p.HasRemoteChannel {
			x.answers[ch] = true
			return // was answered
		}
		x.write(f.Data...)
	case *amqp.Attach:
		x.links[sideSlot(f.From, ch, p.Handle)], x.names[sideSlot(f.From, ch, p.Handle)] = whatIs(p), p.Name
		if _, answer := x.mine[p.Name]; answer {
			return
		}
		x.mine[p.Name] = ""
		x.mu.Lock()
		x.back[p.Name] = *p
		x.mu.Unlock()
		x.write(f.Data...)
		if p.Role == amqp.RoleReceiver {
			x.send(ch, generous(p.Handle))
		}
	case *amqp.Transfer:
		if x.flows == nil || !x.speakStream(f, p, payload, ch) {
			x.speakMessage(f, p, payload, ch)
		}
	case *amqp.Disposition:
		if x.flows != nil {
			x.speakOutcome(f, p, ch)
		}
	case *amqp.Detach:
		if !x.answers[ch] {
			x.write(f.Data...)
		}
	case *amqp.Open:
		x.peer = p.ContainerID
		x.write(f.Data...)
	default: // windows, credit and outcomes are answered as they come
	}
}

func (x *stage) speakMessage(f captures.Frame, p *amqp.Transfer, payload []byte, ch uint16) {
	at := sideSlot(f.From, ch, p.Handle)
	x.partial[at] = append(x.partial[at], payload...)
	if p.More {
		return
	}
	message := x.partial[at]
	delete(x.partial, at)
	if apart(x.links[at]) || isStream(message) {
		return
	}
	to := &liveLink{ch: ch, handle: p.Handle}
	if x.answers[ch] {
		mine := x.mine[x.names[at]]
		if !x.await(func() bool { to = x.live[mine]; return to != nil && to.credit > 0 }) {
			order, err := x.report()
			x.t.Fatalf("%s: no credit on %q: %v\n%s", x.capture, mine, err, strings.Join(order, "\n"))
		}
	} else if name := x.names[at]; !x.await(func() bool { return x.granted[name] }) {
		order, err := x.report()
		x.t.Fatalf("%s: no credit on the peer's %q: %v\n%s", x.capture, x.links[at], err, strings.Join(order, "\n"))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.deliver(to, p.Settled, message)
	if strings.Contains(whatSays("", message)[0], "opcode=HELLO") {
		x.hello, x.helloOn = message, *to
	}
}

func (x *stage) deliver(to *liveLink, settled bool, message []byte) {
	p := transfer(x.next[to.ch], false)
	p.Handle, p.Settled = to.handle, settled
	x.next[to.ch]++
	x.written[to.ch]++
	x.send(to.ch, p, message...)
}

// goOn says the last HELLO again, while our router is waited for.
func (x *stage) goOn(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			x.mu.Lock()
			if x.hello != nil {
				x.deliver(&x.helloOn, true, x.hello)
			}
			x.mu.Unlock()
		}
	}
}

func (pl *play) run(t *testing.T) {
	n := newNode(t, "", "interior")
	n.add("address", attrs{"prefix": "mc", "distribution": "multicast"})
	var streams *flows
	if pl.streams {
		streams = newFlows(t, n, pl)
		pl.flows = streams
		defer streams.close()
	}
	pl.set(n, pl)
	var stages []*stage
	var mu sync.Mutex
	moved := sync.NewCond(&mu)
	for _, pt := range pl.parts {
		x := &stage{
			rogue: &rogue{t: t}, part: pt, frames: pl.frames(t, pt),
			answers: map[uint16]bool{}, mine: map[string]string{}, links: map[string]string{}, names: map[string]string{},
			next: map[uint16]uint32{}, partial: map[string][]byte{},
			said: map[string]bool{}, live: map[string]*liveLink{}, named: map[string]*liveLink{}, halves: map[string][]byte{},
			back: map[string]amqp.Attach{}, owner: map[string]*amqp.Attach{}, channel: map[uint16]uint16{}, granted: map[string]bool{},
			flows: streams, mu: &mu, moved: moved, written: map[uint16]uint32{}, window: map[uint16]uint32{},
		}
		x.rogue.moved.L = &x.rogue.mu
		stages = append(stages, x)
	}
	dialed := map[string]net.Listener{}
	for _, x := range stages {
		if x.side == captures.Connector && dialed[x.part.name] == nil {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			dialed[x.part.name] = ln
			e := n.entity("connector", x.part.name)
			e["host"], e["port"], _ = net.SplitHostPort(ln.Addr().String())
		}
	}
	n.start()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	align(t, stages)
	waiting := map[bool][]net.Conn{} // accepted ahead of their turn, by whether they carry data only
	opens := map[net.Conn]*amqp.Open{}
	accept := func(ln net.Listener) net.Conn {
		if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		if pl.client != nil {
			nc = tls.Server(nc, pl.client)
		}
		return nc
	}
	connect := func(x *stage) {
		switch ln := dialed[x.part.name]; {
		case ln != nil && pl.several(x.part.name):
			for len(waiting[x.carries()]) == 0 {
				nc := accept(ln)
				opens[nc] = greet(t, nc)
				data := carriesData(opens[nc])
				waiting[data] = append(waiting[data], nc)
			}
			x.nc, x.greeted = waiting[x.carries()][0], true
			waiting[x.carries()] = waiting[x.carries()][1:]
			x.hear(0, opens[x.nc], nil)
		case ln != nil:
			x.nc = accept(ln)
		default:
			e := n.entity("listener", x.part.name)
			x.nc = dial(t, net.JoinHostPort(e["host"].(string), e["port"].(string)))
			if pl.client != nil { // the recording is what was inside
				x.nc = tls.Client(x.nc, pl.client)
			}
		}
		wg.Go(x.listen)
		wg.Go(func() { x.goOn(ctx) })
	}
	defer func() {
		for _, x := range stages {
			if x.nc != nil {
				_ = x.nc.Close()
			}
		}
	}()
	// One script after the other would be another story: what one peer says
	// follows from what our router has passed on from another.
	type entry struct {
		x *stage
		f captures.Frame
	}
	var script []entry
	for _, x := range stages {
		for _, f := range x.frames {
			f.Time += x.after
			script = append(script, entry{x, f})
		}
	}
	slices.SortStableFunc(script, func(a, b entry) int { return cmp.Compare(a.f.Time, b.f.Time) })
	var late []func()
	slack := time.Duration(0)
	if len(stages) > 1 {
		slack = 20 * time.Millisecond // the clocks of recordings are not that of one another
	}
	recorded := map[*stage]map[string]bool{}
	all := map[string]bool{}
	for _, x := range stages {
		recorded[x] = map[string]bool{}
	}
	type promise struct {
		entry
		line string
	}
	var due []promise
	keep := func(until time.Duration) {
		for len(due) > 0 && due[0].f.Time <= until {
			if streams != nil {
				due[0].x.demandStream(due[0].f, due[0].line)
			} else {
				due[0].x.demand(due[0].f, due[0].line)
			}
			due = due[1:]
		}
	}
	for _, e := range script {
		if e.x.nc == nil {
			connect(e.x)
		}
		if e.f.From != e.x.side {
			keep(e.f.Time - slack)
			e.x.speak(e.f)
			continue
		}
		for _, line := range e.x.lines(e.f) {
			if streams != nil && !isOfStream(line) {
				continue
			}
			all[line] = true
			recorded[e.x][line] = true
			if among(line, pl.unsaid) || e.x.sentBack(line) {
				continue
			}
			for words, cue := range pl.cues {
				if strings.HasSuffix(line, words) && !e.x.has(line) {
					keep(e.f.Time)
					cue(n)
				}
			}
			if among(line, pl.later) {
				late = append(late, func() { e.x.demand(e.f, line) })
				continue
			}
			due = append(due, promise{e, line})
		}
	}
	keep(1 << 62)
	for _, f := range late {
		f()
	}
	if streams != nil {
		streams.compares(&mu, all)
		return
	}
	for _, x := range stages {
		x.mu.Lock()
		for line := range maps.Keys(x.said) {
			if !recorded[x][line] && !among(line, pl.added) {
				t.Errorf("%s: ours says, and upstream's does not:\n%s", x.capture, line)
			}
		}
		x.mu.Unlock()
	}
}

// several tells whether a link has more than one connection.
func (pl *play) several(name string) bool {
	n := 0
	for _, pt := range pl.parts {
		if pt.name == name {
			n++
		}
	}
	return n > 1
}

// carries tells whether the recorded connection carries data only.
func (x *stage) carries() bool {
	for _, f := range x.frames {
		if f.From == x.side {
			if p, _, _ := x.decode(f); p != nil {
				if o, ok := p.(*amqp.Open); ok {
					return carriesData(o)
				}
			}
		}
	}
	return false
}

// isOfStream tells lines about streams from others.
func isOfStream(line string) bool {
	return strings.HasPrefix(line, "request ") || strings.HasPrefix(line, "reply ")
}

// report returns what our router has said, and why no more will come.
func (x *stage) report() ([]string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.order), x.over
}

// demand fails if our router does not say what upstream's said.
func (x *stage) demand(f captures.Frame, line string) {
	if x.await(func() bool { return x.said[line] }) {
		return
	}
	order, err := x.report()
	x.t.Fatalf("%s: at %v upstream's router says\n%s\nand ours does not (%v), it said\n%s", x.capture, f.Time, line, err, strings.Join(order, "\n"))
}

// sentBack tells whether upstream's router passed a message on to whom it had
// it from, which ours does not.
func (x *stage) sentBack(line string) bool { return strings.Contains(line, " by [0/"+x.peer+" ") }

func among(line string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(line, p) })
}

func (x *stage) has(line string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said[line]
}

// early is what ours says because it is there before the recorded peer is, and
// answers whoever asks.
var early = []string{"seen=[]", "peers=[]"}

var plays = []play{
	{
		name: "rtr-A with data connections", added: early, unsaid: []string{"sender from <nil>[] to <nil>[]"}, parts: []part{
			{"ii-trunk-control", captures.Listener, "ir", 0}, {"ii-trunk-data1", captures.Listener, "ir", 10 * time.Millisecond}, {"ii-trunk-data2", captures.Listener, "ir", 20 * time.Millisecond},
		},
		set: func(n *node, _ *play) {
			n.is("rtr-A", "interior")
			n.listens("ir", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			n.offers("tl-echo", "echo")
			n.serves("tc-web", "web", serve(n.t, echo))
		},
	},
	{
		name: "rtr-TA inside TLS", added: early,
		parts: []part{{"ii-mtls-control", captures.Listener, "ir", 0}, {"ii-mtls-data1", captures.Listener, "ir", 10 * time.Millisecond}},
		set: func(n *node, pl *play) {
			ca := newAuthority(n.t)
			server := ca.profile("prof", certificate{name: "server"})
			server["ordinal"] = 5
			ca.profile("client", certificate{name: "client"})
			cert, key := ca.files("client")
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				n.t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(ca.cert)
			n.is("rtr-TA", "interior")
			n.add("sslProfile", server)
			host, _ := n.listens("ir", "inter-router", attrs{"sslProfile": "prof", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
			pl.client = &tls.Config{ServerName: host, RootCAs: roots, Certificates: []tls.Certificate{pair}}
			n.serves("tc-web", "web", serve(n.t, echo))
		},
	},
	{
		// Addresses are asked for when the way is known, and not if they come
		// before that.
		name: "rtr-B with data connections", added: early, unsaid: []string{"sender from <nil>[] to <nil>[]", "opcode=MAR"}, parts: []part{
			{"ii-trunk-control", captures.Connector, "link-a", 0}, {"ii-trunk-data1", captures.Connector, "link-a", 10 * time.Millisecond}, {"ii-trunk-data2", captures.Connector, "link-a", 20 * time.Millisecond},
		},
		set: func(n *node, _ *play) {
			n.is("rtr-B", "interior")
			n.entity("router", "router")["dataConnectionCount"] = "2"
			n.dials("link-a", "inter-router", "", "", attrs{"cost": "3"})
			n.offers("tl-web", "web")
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
	{
		name: "rtr-TB inside TLS", added: early, unsaid: []string{"opcode=MAR"}, // as above
		parts: []part{{"ii-mtls-control", captures.Connector, "link-a", 0}, {"ii-mtls-data1", captures.Connector, "link-a", 50 * time.Millisecond}},
		set: func(n *node, pl *play) {
			ca := newAuthority(n.t)
			dialer := ca.profile("prof", certificate{name: "client"})
			dialer["ordinal"] = 7
			ca.issue(certificate{name: "server"})
			cert, key := ca.files("server")
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				n.t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(ca.cert)
			n.is("rtr-TB", "interior")
			n.entity("router", "router")["dataConnectionCount"] = "1"
			n.add("sslProfile", dialer)
			n.dials("link-a", "inter-router", "", "", attrs{"sslProfile": "prof"})
			pl.client = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
	{
		name: "rtr-Y between two", added: early,
		unsaid: []string{
			// An advertisement is passed on once, if the same comes again within
			// seconds: the pauses of the recording are not replayed.
			"from 0/rtr-X by [0/rtr-X 0/rtr-Y] string opcode=RA",
			"opcode=MAR", // as above
			"sender from <nil>[qd.router-data] to <nil>[qd.router-data]", // for a stream
		},
		parts: []part{{"line-x-y", captures.Listener, "x-y", 0}, {"line-z-y", captures.Listener, "z-y", 5948 * time.Millisecond}},
		set: func(n *node, _ *play) {
			n.is("rtr-Y", "interior")
			n.listens("x-y", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			n.listens("z-y", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
		},
	},
	{
		name: "rtr-A of a pair", added: early,
		parts: []part{{"ii-plain", captures.Listener, "ir", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-A", "interior")
			n.listens("ir", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			n.offers("tl-echo", "echo")
			n.serves("tc-web", "web", serve(n.t, echo))
		},
	},
	{
		name: "rtr-B of a pair", added: early,
		parts: []part{{"ii-plain", captures.Connector, "link-a", 0}},
		cues: map[string]func(n *node){
			"MAU of rtr-B has [Mdb 3 0]": func(n *node) {
				n.serves("tc-db", "db", serve(n.t, echo))
				n.reloads()
			},
			"MAU of rtr-B lost [Mdb]": func(n *node) {
				n.drop("tcpConnector", "tc-db")
				n.reloads()
			},
		},
		set: func(n *node, _ *play) {
			n.is("rtr-B", "interior")
			n.dials("link-a", "inter-router", "", "", attrs{"cost": "3"})
			n.offers("tl-web", "web")
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
	{
		name: "rtr-X of a line", added: early,
		parts: []part{{"line-x-y", captures.Connector, "x-y", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-X", "interior")
			n.dials("x-y", "inter-router", "", "", attrs{"cost": "1"})
			n.offers("tl-echo", "echo")
		},
	},
	{
		name: "rtr-Z of a line", added: early,
		parts: []part{{"line-z-y", captures.Connector, "z-y", 0}},
		later: []string{"MAU of rtr-Z"}, // addresses come when rtr-X is known as well
		set: func(n *node, _ *play) {
			n.is("rtr-Z", "interior")
			n.dials("z-y", "inter-router", "", "", attrs{"cost": "2"})
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
	{
		name: "rtr-X with an edge behind its neighbor", added: early,
		parts: []part{{"edge-behind", captures.Connector, "x-y", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-X", "interior")
			n.dials("x-y", "inter-router", "", "", attrs{"cost": "1"})
			n.offers("tl-echo", "echo")
		},
	},
	{
		name: "interior of an edge", parts: []part{{"edge-interior", captures.Listener, "edge-l", 0}},
		unsaid: []string{
			"sender from <nil>[] to <nil>[]", // for a stream
			"operation=QUERY",                // of a client
		},
		cues: map[string]func(n *node){
			"[Mlate true]": func(n *node) {
				n.serves("tc-late", "late", serve(n.t, echo))
				n.reloads()
			},
			"[Mlate false]": func(n *node) {
				n.drop("tcpConnector", "tc-late")
				n.reloads()
			},
		},
		set: func(n *node, _ *play) {
			n.is("rtr-I", "interior")
			n.listens("edge-l", "edge", attrs{"saslMechanisms": "ANONYMOUS"})
			n.offers("tl-echo", "echo")
			n.serves("tc-web", "web", serve(n.t, echo))
		},
	},
	{
		name: "edge of an interior", parts: []part{{"edge-interior", captures.Connector, "link-i", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-E", "edge")
			n.dials("link-i", "edge", "", "", nil)
			n.offers("tl-web", "web")
			n.offers("tl-none", "late")
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
	{
		name: "listening edge of two", added: []string{"sfe.", "vfcr."}, // observers may be anywhere
		parts: []part{{"inter-edge", captures.Listener, "ie", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-M1", "edge")
			n.listens("ie", "inter-edge", attrs{"saslMechanisms": "ANONYMOUS"})
			n.serves("tc-web", "web", serve(n.t, echo))
		},
	},
	{
		name: "dialing edge of two", added: []string{"sfe.", "vfcr."}, // observers may be anywhere
		parts: []part{{"inter-edge", captures.Connector, "ie", 0}},
		set: func(n *node, _ *play) {
			n.is("rtr-M2", "edge")
			n.dials("ie", "inter-edge", "", "", nil)
			n.offers("tl-web", "web")
			n.serves("tc-echo", "echo", serve(n.t, echo))
		},
	},
}

// is says who the router is.
func (n *node) is(id, mode string) {
	n.mode = mode
	r := n.entity("router", "router")
	r["id"], r["mode"], r["helloMaxAgeSeconds"] = id, mode, "3"
}

// TestRecordedRouters puts a router of ours in the place of one of upstream's,
// whose neighbors say what they said then. What ours says has to be what
// upstream's said: how it opens, which links it attaches, its routing messages
// and those of edges with their annotations, decoded. Octets are not compared:
// names, ids, sequence numbers and windows are each router's own, and flooding
// may spare answers; that the same messages have the same octets is tested
// where they are composed. Order counts as far as one thing causes another.
func TestRecordedRouters(t *testing.T) {
	t.Parallel()
	for _, p := range plays {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}
