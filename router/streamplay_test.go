package router

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/stream"
)

// flows are the streams of a play: those of its recordings and those that are.
// A stream is named by its place among those of its kind on its link, "request
// 2 of toB", the answer like what it answers, "reply 2 of toB".
type flows struct {
	t     testing.TB
	n     *node
	play  *play
	ours  map[string]*localEnd // connections of clients and servers, by name of the stream that our router makes of them
	begun chan net.Conn        // connections to the server
	taken []net.Conn           // those of them that have been looked at, as they came
	ln    net.Listener         // of the server
	wg    sync.WaitGroup

	// Of the recordings.
	paired   map[string]uint16        // the channel of the other side, by capture, side and channel
	open     map[string]*recordedFlow // by capture, side, channel and handle
	byID     map[string]*recordedFlow // by capture, side, channel and delivery id
	recorded map[string]*recordedFlow // by name
	asked    map[string]int           // requests, by link and side

	// Guarded by mu of the stages.
	askers map[string]string // names of recorded requests, by where they want their answers
	said   map[string]bool
	order  []string
	live   map[string]*liveFlow // by name
	now    map[string]*liveFlow // those of our router that have not ended, by capture, channel and handle
	spoken map[string]*liveFlow // those of peers, by capture, channel and delivery id
	wants  map[string]string    // names of requests of our router, by where they want their answers
	begins map[string]int       // requests of our router, by link
}

// recordedFlow is a stream of a recording.
type recordedFlow struct {
	name    string
	peers   bool
	request bool
	to      string
	replyTo string
	octets  []byte // of the TCP connection
	ended   bool
	refused bool   // its receiver has said that it failed
	refusal string // what our router says then
}

// liveFlow is a stream that is.
type liveFlow struct {
	on      *stage
	ch      uint16 // of its sender
	handle  uint32
	id      uint32
	replyTo string
	octets  int
	sum     uint32
	acked   int
	ended   bool
}

func newFlows(t testing.TB, n *node, pl *play) *flows {
	return &flows{
		t: t, n: n, play: pl, ours: map[string]*localEnd{}, begun: make(chan net.Conn, 16),
		paired: map[string]uint16{}, open: map[string]*recordedFlow{}, byID: map[string]*recordedFlow{}, recorded: map[string]*recordedFlow{},
		asked: map[string]int{}, askers: map[string]string{},
		said: map[string]bool{}, live: map[string]*liveFlow{}, now: map[string]*liveFlow{}, spoken: map[string]*liveFlow{},
		wants: map[string]string{}, begins: map[string]int{},
	}
}

func (fl *flows) close() {
	if fl.ln != nil {
		_ = fl.ln.Close()
	}
	for _, l := range fl.ours {
		l.close()
	}
	fl.wg.Wait()
	close(fl.begun)
	for c := range fl.begun {
		_ = c.Close()
	}
	for _, c := range fl.taken {
		_ = c.Close()
	}
}

// serves listens for what our router makes of streams of peers.
func (fl *flows) serves() *net.TCPAddr {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		fl.t.Fatal(err)
	}
	fl.ln = ln
	fl.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fl.begun <- c
		}
	})
	return ln.Addr().(*net.TCPAddr)
}

// localEnd is a client or a server of our router: it says what the recorded one
// said, as that is read in the recording.
type localEnd struct {
	conn net.Conn
	jobs chan func()
	wg   sync.WaitGroup
	hold chan struct{} // closed when it may read
	free sync.Once

	mu  sync.Mutex
	got []byte // Guarded by mu.
	err error  // Guarded by mu: after the last of it.
}

func newLocalEnd(conn net.Conn, lazy bool) *localEnd {
	l := &localEnd{conn: conn, jobs: make(chan func(), 1<<14), hold: make(chan struct{})}
	if !lazy {
		l.reads()
	}
	l.wg.Go(func() {
		for f := range l.jobs {
			f()
		}
	})
	l.wg.Go(func() {
		<-l.hold
		b := make([]byte, 1<<16)
		for {
			n, err := conn.Read(b)
			l.mu.Lock()
			l.got = append(l.got, b[:n]...)
			l.err = err
			l.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	return l
}

func (l *localEnd) reads() { l.free.Do(func() { close(l.hold) }) }

// says and what follows do not wait; what fails shows in what arrives.
func (l *localEnd) says(b []byte) { l.jobs <- func() { _, _ = l.conn.Write(b) } }

func (l *localEnd) ends() {
	l.jobs <- func() { _ = l.conn.(interface{ CloseWrite() error }).CloseWrite() }
}

func (l *localEnd) resets() {
	l.jobs <- func() {
		_ = l.conn.(*net.TCPConn).SetLinger(0)
		_ = l.conn.Close()
	}
}

func (l *localEnd) close() {
	l.reads()
	_ = l.conn.Close()
	close(l.jobs)
	l.wg.Wait()
}

func (l *localEnd) heard() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got, l.err
}

// frames are those of a part, with a frame without octets where the peer's
// connection was cut.
func (pl *play) frames(t testing.TB, pt part) []captures.Frame {
	t.Helper()
	name := pt.capture
	if !strings.Contains(name, "/") {
		name = "control/" + name
	}
	c := captures.Load(t, name)
	frames := c.Frames(t)
	for _, chunk := range c.Chunks {
		if len(chunk.Data) == 0 && chunk.From != pt.side && slices.Contains(pl.cut, pt.name) {
			frames = append(frames, captures.Frame{From: chunk.From, Time: chunk.Time})
		}
	}
	return frames
}

// pairs notes which channels belong together.
func (fl *flows) pairs(x *stage, from captures.Side, ch uint16, b *amqp.Begin) {
	if fl == nil || !b.HasRemoteChannel {
		return
	}
	fl.paired[x.capture+sideSlot(from, ch, 0)] = b.RemoteChannel
	fl.paired[x.capture+sideSlot(1-from, b.RemoteChannel, 0)] = ch
}

// streamText is what the first octets of a stream say, without what is random.
func streamText(t testing.TB, message []byte) (text, to, replyTo string, body []byte, ok bool) {
	t.Helper()
	p, whole, err := amqp.ScanPrefix(message)
	if err != nil || !whole || string(p.ContentType) != stream.ContentType {
		return "", "", "", nil, false
	}
	m, err := amqp.ParseMessage(message[:p.BodyOffset])
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if a := m.Annotations; a != nil {
		fmt.Fprintf(&b, "flags %d from %q by %q, mesh %v", a.Flags, a.Ingress, a.Trace, a.Mesh != "")
	}
	q := m.Properties
	fmt.Fprintf(&b, " to %s, answers to %s, correlation %v, %s,", q.To, q.ReplyTo, q.CorrelationID != nil, q.ContentType)
	for _, e := range m.ApplicationProperties {
		if e.Key == stream.PropertyWindow {
			continue // of ours only: how much it takes
		}
		fmt.Fprintf(&b, " %v=%T %v", e.Key, e.Value, e.Value)
	}
	return masked(b.String()), q.To, q.ReplyTo, message[p.BodyOffset:], true
}

// note is what a transfer of a recording adds to a stream, nil if it is of
// none. The line says how it opens.
func (x *stage) note(f captures.Frame, p *amqp.Transfer, payload []byte, ch uint16) (s *recordedFlow, chunk []byte, line string) {
	fl := x.flows
	at := x.capture + sideSlot(f.From, ch, p.Handle)
	s, chunk = fl.open[at], payload
	if s == nil {
		text, to, replyTo, body, ok := streamText(x.t, payload)
		if !ok || x.partial[sideSlot(f.From, ch, p.Handle)] != nil {
			return nil, nil, ""
		}
		s, chunk = &recordedFlow{peers: f.From != x.side, request: replyTo != "", to: to, replyTo: replyTo}, body
		if s.request {
			key := x.part.name + f.From.String()
			fl.asked[key]++
			s.name = fmt.Sprintf("request %d of %s", fl.asked[key], x.part.name)
			x.mu.Lock()
			fl.askers[x.part.name+replyTo] = s.name
			x.mu.Unlock()
		} else {
			s.name = strings.Replace(fl.askers[x.part.name+to], "request", "reply", 1)
		}
		fl.open[at], fl.recorded[s.name] = s, s
		fl.byID[x.capture+sideSlot(f.From, ch, p.DeliveryID)] = s
		line = s.name + " opens: " + text
	}
	s.octets = append(s.octets, chunk...)
	if !p.More || p.Aborted {
		s.ended = true
		delete(fl.open, at)
	}
	return s, chunk, line
}

// streamLines are what our router has to say of a stream; its clients and
// servers do what makes it say that.
func (x *stage) streamLines(f captures.Frame, p *amqp.Transfer, payload []byte, ch uint16) (lines []string, ok bool) {
	s, chunk, opens := x.note(f, p, payload, ch)
	if s == nil {
		return nil, false
	}
	fl := x.flows
	if opens != "" {
		lines = append(lines, opens)
		fl.connects(x, s)
	}
	l := fl.ours[s.name]
	if l != nil && len(chunk) > 0 {
		l.says(chunk)
	}
	if !s.ended {
		return lines, true
	}
	switch asked := fl.recorded[strings.Replace(s.name, "reply", "request", 1)]; {
	case l == nil:
	case fl.play.resets:
		x.await(func() bool { return fl.live[s.name] != nil && fl.live[s.name].octets >= len(s.octets) })
		l.resets()
	case asked == nil || !asked.refused:
		l.ends()
	}
	return append(lines, s.name+" ends"), true
}

// connects makes the connection of which the recorded router made a stream.
func (fl *flows) connects(x *stage, s *recordedFlow) {
	switch pl := fl.play; {
	case s.request && pl.dials != nil:
		fl.ours[s.name] = newLocalEnd(pl.dials(fl.n, s.name), false)
		if !x.await(func() bool { return fl.live[s.name] != nil }) {
			fl.t.Fatalf("no %s: %v", s.name, fl.report())
		}
	case !s.request && fl.ln != nil:
		place := 0 // of the request: our router makes one connection after the other
		if _, err := fmt.Sscanf(s.name, "reply %d of", &place); err != nil {
			fl.t.Fatal(err)
		}
		for len(fl.taken) < place {
			select {
			case c := <-fl.begun:
				fl.taken = append(fl.taken, c)
			case <-time.After(patience):
				fl.t.Fatalf("no connection for %s: %v", s.name, fl.report())
			}
		}
		c := fl.taken[place-1]
		if pl.accepts != nil {
			c = pl.accepts(c)
		}
		fl.ours[s.name] = newLocalEnd(c, pl.lazy)
	}
}

// outcomeText is what a receiver says of a stream, empty unless it is over.
func outcomeText(state *amqp.State) string {
	switch {
	case !state.Terminal():
		return ""
	case state.Code == amqp.StateModified:
		return fmt.Sprintf("modified, failed %v, undeliverable %v", state.Failed, state.Undeliverable)
	case state.Error != nil:
		return string(state.Error.Condition)
	}
	return fmt.Sprint(state.Code)
}

func outcomeLine(name string, state *amqp.State) string {
	return fmt.Sprintf("%s is %s", name, outcomeText(state))
}

// subjects are the recorded streams that a disposition is about.
func (x *stage) subjects(f captures.Frame, p *amqp.Disposition, ch uint16) (list []*recordedFlow) {
	from := f.From
	if p.Role == amqp.RoleReceiver {
		from, ch = 1-from, x.flows.paired[x.capture+sideSlot(f.From, ch, 0)]
	}
	for id := p.First; id <= p.Last; id++ {
		if s := x.flows.byID[x.capture+sideSlot(from, ch, id)]; s != nil {
			list = append(list, s)
		}
	}
	return list
}

func (x *stage) outcomeLines(f captures.Frame, p *amqp.Disposition, ch uint16) (lines []string) {
	if p.Role != amqp.RoleReceiver || !p.State.Terminal() {
		return nil
	}
	for _, s := range x.subjects(f, p, ch) {
		line := outcomeLine(s.name, &p.State)
		if p.State.Code != amqp.StateAccepted && !s.refused {
			s.refused, s.refusal = true, line
		}
		lines = append(lines, line)
	}
	return lines
}

// The following are called with mu held.

func (fl *flows) say(line string) {
	if !fl.said[line] {
		fl.said[line] = true
		fl.order = append(fl.order, line)
	}
}

// hearStream takes a transfer of our router, false if it is of no stream.
func (x *stage) hearStream(ch uint16, p *amqp.Transfer, payload []byte) bool {
	fl := x.flows
	at := x.capture + slot(ch, p.Handle)
	s := fl.now[at]
	name := ""
	if s == nil {
		text, to, replyTo, body, ok := streamText(x.t, payload)
		if !ok || x.halves[slot(ch, p.Handle)] != nil {
			return false
		}
		payload = body
		s = &liveFlow{on: x, ch: ch, id: p.DeliveryID, replyTo: replyTo}
		if replyTo != "" {
			fl.begins[x.part.name]++
			name = fmt.Sprintf("request %d of %s", fl.begins[x.part.name], x.part.name)
			fl.wants[x.part.name+replyTo] = name
		} else {
			name = strings.Replace(fl.askers[x.part.name+to], "request", "reply", 1)
		}
		fl.now[at], fl.live[name] = s, s
		fl.say(name + " opens: " + text)
	}
	s.octets += len(payload)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, payload)
	if s.octets-s.acked >= 500_000 {
		s.acked = s.octets
		x.send(x.channel[ch], &amqp.Disposition{Role: amqp.RoleReceiver, First: s.id, Last: s.id, State: amqp.State{Code: amqp.StateReceived, Offset: uint64(s.octets)}})
	}
	if !p.More || p.Aborted {
		s.ended = true
		delete(fl.now, at)
		for n, other := range fl.live {
			if other == s {
				fl.say(n + " ends")
			}
		}
	}
	return true
}

// hearOutcome takes what our router says of streams of peers.
func (x *stage) hearOutcome(ch uint16, p *amqp.Disposition) {
	for id := p.First; id <= p.Last; id++ {
		s := x.flows.spoken[x.capture+slot(x.channel[ch], id)]
		if s == nil {
			continue
		}
		if p.State.Code == amqp.StateReceived {
			s.acked = max(s.acked, int(p.State.Offset))
		} else if p.State.Terminal() {
			for n, other := range x.flows.live {
				if other == s {
					x.flows.say(outcomeLine(n, &p.State))
				}
			}
		}
	}
}

// Until here.

func (fl *flows) report() string { return "it said\n" + strings.Join(fl.order, "\n") }

// speakStream says what the recorded peer said, false if it is of no stream.
func (x *stage) speakStream(f captures.Frame, p *amqp.Transfer, payload []byte, ch uint16) bool {
	s, chunk, opens := x.note(f, p, payload, ch)
	if s == nil {
		return false
	}
	fl := x.flows
	if opens != "" {
		x.opensStream(f, s, p, ch)
		if !s.request {
			payload = x.readdressed(s, payload)
		}
	}
	if s.ended && s.refusal != "" {
		x.demandStream(f, s.refusal) // which is why it ends
	}
	const window = 1_000_000
	x.mu.Lock()
	l := fl.live[s.name]
	may := func() bool {
		return l.octets+len(chunk)-l.acked < window && x.written[l.ch] < x.window[l.ch]
	}
	free := may()
	x.mu.Unlock()
	if !free {
		for _, end := range fl.ours {
			end.reads() // those that do not read have been waited for long enough
		}
	}
	if !x.await(may) {
		fl.t.Fatalf("%s may not go on after %d octets, %d are acknowledged", s.name, l.octets, l.acked)
	}
	q := *p
	q.Handle = l.handle
	if q.HasDeliveryID {
		q.DeliveryID = l.id
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l.octets += len(chunk)
	x.written[l.ch]++
	x.send(l.ch, &q, payload...)
	return true
}

// opensStream waits until a stream of the peer may begin.
func (x *stage) opensStream(f captures.Frame, s *recordedFlow, p *amqp.Transfer, ch uint16) {
	fl := x.flows
	var k int
	if n, err := fmt.Sscanf(s.name, "request %d of", &k); err == nil && n == 1 && k > 1 && fl.ln != nil {
		// Our router reaches its server for one after the other.
		before := fmt.Sprintf("request %d of %s", k-1, x.part.name)
		if !x.await(func() bool {
			return fl.live[strings.Replace(before, "request", "reply", 1)] != nil || fl.said[outcomeLine(before, &amqp.State{Code: amqp.StateModified, Failed: true})]
		}) {
			fl.t.Fatalf("nothing becomes of %s: %v", before, fl.report())
		}
	}
	x.ready(s)
	at := sideSlot(f.From, ch, p.Handle)
	if name := x.names[at]; !x.await(func() bool { return x.granted[name] }) {
		fl.t.Fatalf("%s: no credit on %q for %s", x.capture, x.links[at], s.name)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l := &liveFlow{on: x, ch: ch, handle: p.Handle, id: x.next[ch], replyTo: s.replyTo}
	x.next[ch]++
	fl.live[s.name], fl.spoken[x.capture+slot(ch, l.id)] = l, l
}

// ready waits until our router knows where a stream goes, and where its answer
// does: in a recording seconds pass until then.
func (x *stage) ready(s *recordedFlow) {
	places := []string{s.to, s.replyTo}
	if !s.request {
		if places = nil; x.part.name == "bm" { // else it is for our router, by another name
			places = []string{s.to}
		}
	}
	for _, to := range places {
		eventually(x.t, "the way to "+to, func() error {
			if a := x.flows.n.r.snap.Load().Find([]byte(to)); a == nil || !a.Counts().Reachable() {
				return errors.New("it is not known")
			}
			return nil
		})
	}
}

// readdressed is the beginning of an answer, to where our router wants it.
func (x *stage) readdressed(s *recordedFlow, payload []byte) []byte {
	fl := x.flows
	request := strings.Replace(s.name, "reply", "request", 1)
	if !x.await(func() bool { return fl.live[request] != nil }) {
		fl.t.Fatalf("no %s: %v", request, fl.report())
	}
	p, _, err := amqp.ScanPrefix(payload)
	if err != nil {
		fl.t.Fatal(err)
	}
	m, err := amqp.ParseMessage(payload[:p.BodyOffset])
	if err != nil {
		fl.t.Fatal(err)
	}
	x.mu.Lock()
	m.Properties.To = fl.live[request].replyTo
	x.mu.Unlock()
	return append(m.AppendWide(nil, 0), payload[p.BodyOffset:]...)
}

// speakOutcome says of streams what the recorded peer said of them.
func (x *stage) speakOutcome(f captures.Frame, p *amqp.Disposition, ch uint16) {
	fl := x.flows
	if p.State.Code == amqp.StateReceived {
		return // was said as it came
	}
	for _, s := range x.subjects(f, p, ch) {
		if p.State.Terminal() && p.State.Code != amqp.StateAccepted {
			s.refused = true
		}
		var l *liveFlow
		if !x.await(func() bool {
			l = fl.live[s.name]
			return l != nil && (l.ended || !s.ended || s.peers)
		}) {
			fl.t.Fatalf("%s has not come or not ended: %v", s.name, fl.report())
		}
		q := *p
		q.First, q.Last = l.id, l.id
		x.mu.Lock()
		if p.Role == amqp.RoleReceiver {
			l.on.send(l.on.channel[l.ch], &q)
		} else {
			l.on.send(l.ch, &q)
		}
		x.mu.Unlock()
	}
}

// demandStream fails if our router does not say of a stream what upstream's
// said.
func (x *stage) demandStream(f captures.Frame, line string) {
	fl := x.flows
	if !x.await(func() bool { return fl.said[line] }) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.t.Fatalf("%s: at %v upstream's router says\n%s\nand ours does not (%v), %s", x.capture, f.Time, line, x.over, fl.report())
	}
}

// compares what clients and servers have got with what the recorded ones got.
func (fl *flows) compares(mu *sync.Mutex, recorded map[string]bool) {
	other := strings.NewReplacer("request", "reply", "reply", "request")
	for name, l := range fl.ours {
		s := fl.recorded[other.Replace(name)]
		if s == nil { // nothing was said in return
			s = &recordedFlow{name: other.Replace(name), ended: true}
		}
		l.reads()
		eventually(fl.t, "what "+s.name+" brings", func() error {
			got, err := l.heard()
			switch {
			case !bytes.HasPrefix(s.octets, got) || err == nil && len(got) < len(s.octets) && !fl.play.abrupt:
				return fmt.Errorf("%d octets, %v, instead of %d", len(got), err, len(s.octets))
			case err == nil && (s.ended || len(fl.play.cut) > 0):
				return errors.New("it does not end")
			case errors.Is(err, io.EOF) && len(got) < len(s.octets) && !fl.play.abrupt:
				return fmt.Errorf("it ends after %d of %d octets", len(got), len(s.octets))
			}
			return nil
		})
	}
	mu.Lock()
	defer mu.Unlock()
	for name, s := range fl.recorded {
		if s.peers && s.ended { // its receiver may say so, if its sender does not settle it at once
			recorded[outcomeLine(name, &amqp.State{Code: amqp.StateAccepted})] = true
		}
	}
	for _, line := range fl.order {
		if !recorded[line] && !among(line, fl.play.added) {
			fl.t.Errorf("ours says, and upstream's does not:\n%s", line)
		}
	}
	for name, l := range fl.live {
		s := fl.recorded[name]
		if s == nil || s.peers || !s.ended || s.refused || fl.play.abrupt || len(fl.play.cut) > 0 {
			continue
		}
		if l.octets != len(s.octets) || l.sum != crc32.ChecksumIEEE(s.octets) {
			fl.t.Errorf("%s brings %d octets with sum %x, and upstream's %d with %x", name, l.octets, l.sum, len(s.octets), crc32.ChecksumIEEE(s.octets))
		}
	}
}

// greet answers SASL for the recorded peer and returns how our router opens.
func greet(t testing.TB, nc net.Conn) *amqp.Open {
	t.Helper()
	x := &rogue{t: t, nc: nc}
	x.write([]byte(amqp.ProtocolHeaderSASL)...)
	b := (&amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{"ANONYMOUS"}}).Append(amqp.AppendFrameHeader(nil, amqp.FrameSASL, 0))
	amqp.FinishFrame(b)
	x.write(b...)
	for {
		p, _, _, err := x.next()
		if err != nil {
			t.Fatal(err)
		}
		switch p := p.(type) {
		case *amqp.SASLInit:
			b := (&amqp.SASLOutcome{}).Append(amqp.AppendFrameHeader(nil, amqp.FrameSASL, 0))
			amqp.FinishFrame(b)
			x.write(b...)
		case *amqp.Open:
			return p
		}
	}
}

// carriesData tells whether a connection that opens so is for streams only.
func carriesData(o *amqp.Open) bool {
	return fmt.Sprint(o.Properties.Get("qd.inter-router-role")) == "inter-router-data"
}

// align puts recordings of the two links of one router on one clock: the
// router passes the first stream on at once.
func align(t testing.TB, stages []*stage) {
	t.Helper()
	first := map[*stage]time.Duration{}
	var from *stage
	for _, x := range stages {
		if x.flows == nil {
			return
		}
		for _, f := range x.frames {
			if p, payload, _ := x.decode(f); p != nil {
				if _, ok := p.(*amqp.Transfer); ok {
					if _, _, replyTo, _, ok := streamText(t, payload); ok && replyTo != "" {
						first[x] = f.Time
						if f.From != x.side {
							from = x
						}
						break
					}
				}
			}
		}
	}
	for _, x := range stages {
		if from != nil && x != from && x.part.name != from.part.name {
			x.after = first[from] - first[x] + time.Millisecond
		}
	}
}

// pair of the recordings of TCP: A has the listener and dials, B has the
// connector.
func pairPlays() (plays []play) {
	for _, c := range []struct {
		name                   string
		refused, long          bool
		lazy, resetsA, resetsB bool
		cut                    bool
		link                   attrs
	}{
		{name: "echo"},
		{name: "echo-sender-settle"},
		{name: "echo-client-shutdown"},
		{name: "server-first"},
		{name: "nodata"},
		{name: "refused", refused: true},
		{name: "halfclose"},
		{name: "client-abort", resetsA: true},
		{name: "server-abort", resetsB: true},
		{name: "large", long: true},
		{name: "download", long: true},
		{name: "slow-reader", lazy: true, long: true},
		{name: "smallwindow", link: attrs{"maxSessionFrames": "16"}},
		{name: "bigframe", link: attrs{"maxFrameSize": "131072"}},
		{name: "concurrent"},
		{name: "link-drop", cut: true},
	} {
		a := play{
			name: c.name + ", ours is A", streams: true, resets: c.resetsA, abrupt: c.resetsA || c.resetsB,
			parts: []part{{"tcp/" + c.name, captures.Connector, "toB", 0}},
			dials: func(n *node, _ string) net.Conn { return dial(n.t, n.address("l1")) },
			set: func(n *node, _ *play) {
				n.is("A", "interior")
				n.dials("toB", "inter-router", "", "", c.link)
				n.offers("l1", address(c.name))
			},
		}
		b := play{
			name: c.name + ", ours is B", streams: true, resets: c.resetsB, abrupt: c.resetsA || c.resetsB, lazy: c.lazy,
			parts: []part{{"tcp/" + c.name, captures.Listener, "toB", 0}},
			set: func(n *node, pl *play) {
				n.is("B", "interior")
				n.listens("toB", "inter-router", merge(attrs{"saslMechanisms": "ANONYMOUS"}, c.link))
				pl.connects(n, "c1", address(c.name), c.refused)
			},
		}
		if c.cut {
			a.cut, b.cut = []string{"toB"}, []string{"toB"}
		}
		a.long, b.long = c.long, c.long
		plays = append(plays, a, b)
	}
	return plays
}

func address(name string) string {
	if name == "echo-sender-settle" {
		return "echo:9"
	}
	return "svc:9"
}

// otherPlays are those of the recordings of TCP that are of more than a pair, or
// of TLS.
func otherPlays() []play {
	edge := func(name string, refused, listenerAtEdge bool) (plays []play) {
		at := func(n *node, pl *play, edge bool) {
			if edge == listenerAtEdge {
				n.offers("l1", "svc:9")
				pl.dials = func(n *node, _ string) net.Conn { return dial(n.t, n.address("l1")) }
			} else {
				pl.connects(n, "c1", "svc:9", refused)
			}
		}
		return []play{{
			name: name + ", ours is the edge", streams: true, parts: []part{{"tcp/" + name, captures.Connector, "toI", 0}},
			set: func(n *node, pl *play) {
				n.is("E", "edge")
				n.dials("toI", "edge", "", "", nil)
				at(n, pl, true)
			},
		}, {
			name: name + ", ours is the interior", streams: true, parts: []part{{"tcp/" + name, captures.Listener, "toI", 0}},
			set: func(n *node, pl *play) {
				n.is("I", "interior")
				n.listens("toI", "edge", attrs{"saslMechanisms": "ANONYMOUS"})
				at(n, pl, false)
			},
		}}
	}
	transit := func(name string, cut ...string) play {
		return play{
			name: name + ", ours is M", streams: true, cut: cut,
			parts: []part{{"tcp/" + name + "-am", captures.Listener, "am", 0}, {"tcp/" + name + "-bm", captures.Listener, "bm", 0}},
			set: func(n *node, _ *play) {
				n.is("M", "interior")
				n.listens("am", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
				n.listens("bm", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			},
		}
	}
	ends := func(name string, refused, cutA, cutB, resets bool) []play {
		a := play{
			name: name + ", ours is A", streams: true, resets: resets, abrupt: resets,
			parts: []part{{"tcp/" + name + "-am", captures.Connector, "toM", 0}},
			dials: func(n *node, _ string) net.Conn { return dial(n.t, n.address("l1")) },
			set: func(n *node, _ *play) {
				n.is("A", "interior")
				n.dials("toM", "inter-router", "", "", nil)
				n.offers("l1", "svc:9")
			},
		}
		b := play{
			name: name + ", ours is B", streams: true, abrupt: resets,
			parts: []part{{"tcp/" + name + "-bm", captures.Connector, "toM", 0}},
			set: func(n *node, pl *play) {
				n.is("B", "interior")
				n.dials("toM", "inter-router", "", "", nil)
				pl.connects(n, "c1", "svc:9", refused)
			},
		}
		if resets {
			b.unsaid = []string{"request 1 of toM is accepted"} // M has settled it
		}
		if cutA {
			a.cut = []string{"toM"}
		}
		if cutB {
			b.cut = []string{"toM"}
		}
		return []play{a, b}
	}
	plays := []play{
		transit("transit-echo"), transit("transit-refused"), transit("transit-client-abort"),
		transit("transit-drop-egress", "bm"), transit("transit-drop-ingress", "am"),
	}
	plays = append(plays, ends("transit-echo", false, false, false, false)...)
	plays = append(plays, ends("transit-refused", true, false, false, false)...)
	plays = append(plays, ends("transit-client-abort", false, false, false, true)...)
	plays = append(plays, ends("transit-drop-egress", false, false, true, false)...)
	plays = append(plays, ends("transit-drop-ingress", false, true, false, false)...)
	plays = append(plays, edge("edge-listener", false, true)...)
	plays = append(plays, edge("edge-connector", false, false)...)
	plays = append(plays, edge("edge-refused", true, true)...)
	trunk := func(side captures.Side) []part {
		return []part{{"tcp/trunk-conn0", side, "toB", 50 * time.Millisecond}, {"tcp/trunk-conn1", side, "toB", 50 * time.Millisecond}, {"tcp/trunk-conn2", side, "toB", 0}}
	}
	return append(plays, play{
		name: "trunk, ours is A", streams: true, parts: trunk(captures.Connector),
		dials: func(n *node, _ string) net.Conn { return dial(n.t, n.address("l1")) },
		set: func(n *node, _ *play) {
			n.is("A", "interior")
			n.entity("router", "router")["dataConnectionCount"] = "2"
			n.dials("toB", "inter-router", "", "", nil)
			n.offers("l1", "svc:9")
		},
	}, play{
		name: "trunk, ours is B", streams: true, parts: trunk(captures.Listener),
		set: func(n *node, pl *play) {
			n.is("B", "interior")
			n.entity("router", "router")["dataConnectionCount"] = "2"
			n.listens("toB", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			pl.connects(n, "c1", "svc:9", false)
		},
	}, play{
		name: "tls-alpn, ours is A", streams: true, parts: []part{{"tcp/tls-alpn", captures.Connector, "toB", 0}},
		set: func(n *node, pl *play) {
			ca := newAuthority(n.t)
			n.is("A", "interior")
			n.add("sslProfile", ca.profile("s", certificate{name: "server"}))
			n.dials("toB", "inter-router", "", "", nil)
			n.offers("l1", "svc:9")
			n.entity("tcpListener", "l1")["sslProfile"] = "s"
			cfg := &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()}
			cfg.RootCAs.AddCert(ca.cert)
			pl.dials = func(n *node, name string) net.Conn {
				cfg := cfg.Clone()
				if strings.HasPrefix(name, "request 1 ") {
					cfg.NextProtos = []string{"h2"}
				}
				c := tls.Client(dial(n.t, n.address("l1")), cfg)
				if err := c.Handshake(); err != nil {
					n.t.Fatal(err)
				}
				return c
			}
		},
	}, play{
		name: "tls-alpn, ours is B", streams: true, parts: []part{{"tcp/tls-alpn", captures.Listener, "toB", 0}},
		set: func(n *node, pl *play) {
			ca := newAuthority(n.t)
			ca.issue(certificate{name: "server"})
			file, key := ca.files("server")
			pair, err := tls.LoadX509KeyPair(file, key)
			if err != nil {
				n.t.Fatal(err)
			}
			root, _ := ca.files("ca")
			n.is("B", "interior")
			n.add("sslProfile", attrs{"name": "c", "caCertFile": root})
			n.listens("toB", "inter-router", attrs{"saslMechanisms": "ANONYMOUS"})
			pl.connects(n, "c1", "svc:9", false)
			merge(n.entity("tcpConnector", "c1"), attrs{"sslProfile": "c", "verifyHostname": true})
			pl.accepts = func(c net.Conn) net.Conn {
				return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
			}
		},
	})
}

// TestRecordedStreams puts a router of ours in the place of one of upstream's,
// between recorded neighbors and clients and servers that do what those of the
// recording did: streams open, end and fail as upstream's did, with the same
// octets, and clients and servers get the same.
func TestRecordedStreams(t *testing.T) {
	t.Parallel()
	for _, p := range append(pairPlays(), otherPlays()...) {
		if p.long && raceEnabled {
			continue // ten times as slow
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}

// connects gives our router a connector to the server of the recording, or to
// none.
func (pl *play) connects(n *node, name, address string, refused bool) {
	n.t.Helper()
	at := pl.flows.serves()
	if refused {
		_ = pl.flows.ln.Close()
		pl.flows.ln = nil
	}
	n.serves(name, address, at)
}

// TestEveryRecordingIsReplayed: recordings that no test plays are not evidence.
func TestEveryRecordingIsReplayed(t *testing.T) {
	t.Parallel()
	played := map[string]bool{}
	for _, p := range slices.Concat(plays, pairPlays(), otherPlays()) {
		for _, pt := range p.parts {
			name := pt.capture
			if !strings.Contains(name, "/") {
				name = "control/" + name
			}
			played[name+" "+pt.side.String()] = true
		}
	}
	groups, err := os.ReadDir(captures.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		switch g.Name() {
		case "README.md", "control", "tcp", "management", "vanflow": // TestRecordedRequests, TestObservedAsRecorded
		case "observer-api": // the answers of an observer: observer/network compares
		default:
			t.Errorf("no test knows the recordings of %s", g.Name())
		}
	}
	for _, group := range []string{"control", "tcp"} {
		for _, name := range captures.Names(t, group) {
			for _, side := range []captures.Side{captures.Connector, captures.Listener} {
				if key := name + " " + side.String(); !played[key] && key != "control/edge-behind listener" { // what it hears of the edge router is not recorded
					t.Errorf("no test takes the part of the %v in %s", side, name)
				}
			}
		}
	}
}
