package system

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/token"
	"github.com/skupper-host/skupper/system/token/pipe"
)

// Names and places of the grant server, one for each data home.
const (
	grantCA         = "skupper-grant-server-ca"
	grantCredential = "skupper-grant-server"
	grantPort       = 9090            // first port that is tried
	grantLinger     = 5 * time.Minute // it goes on after the last grant ended
	grantRetry      = time.Second     // it tries to listen again, while something else has its port
	grantCertDays   = 397
	grantCAYears    = 10
)

// grantPortVariable is the variable of the environment that prescribes the port.
const grantPortVariable = "SKUPPER_GRANT_SERVER_PORT"

// grantAddress is what a token says of the server.
type grantAddress struct {
	port  int    // 0: it does not listen
	fixed string // host:port in front of it, if there is such a thing
	ca    []byte // PEM
}

// grantAnswers answers what is asked of the grant server.
type grantAnswers interface {
	token.Grantor
	token.Renewer
}

// grantServer serves redemptions of all namespaces, and renewals of what was
// redeemed, while there is something to redeem or to renew.
type grantServer struct {
	m       *machine
	guard   *token.Guard
	renewer *token.RenewGuard
	apart   bool          // what faces the network is a process of its own
	process grantProcess  // how that is started
	wake    chan struct{} // capacity 1: there is a listener
	failed  chan struct{} // capacity 1: it could not be opened
	renewed chan struct{} // capacity 1: there may be another identity
	mended  func()        // called when it could be opened after it could not, or its process runs again

	mu       sync.Mutex
	wanted   time.Time        // guarded by mu; serve until then
	named    time.Time        // guarded by mu; until then a token that was handed out names the port
	asked    []string         // guarded by mu; hosts that it was opened for last
	hosts    []string         // guarded by mu; names in the certificate
	address  grantAddress     // guarded by mu
	listener *net.TCPListener // guarded by mu; nil while it does not listen
	err      string           // guarded by mu; why it does not listen
	died     string           // guarded by mu; why its process does not run
	identity *grantIdentity   // guarded by mu; nil before it is needed
}

// grantIdentity is the certificate that the server shows.
type grantIdentity struct {
	tls.Certificate
	text    pipe.Identity // tls.crt and tls.key
	renewAt time.Time     // zero for that of a person
}

func newGrantServer(m *machine, a grantAnswers) *grantServer {
	g := &grantServer{
		m: m, apart: m.options.Paths.System && m.options.UID == 0, process: ownProcess(),
		wake: make(chan struct{}, 1), failed: make(chan struct{}, 1), renewed: make(chan struct{}, 1), mended: func() {},
	}
	g.renewer = &token.RenewGuard{Renewer: a, Log: m.log, Now: time.Now}
	g.guard = &token.Guard{Grantor: a, Log: m.log, Now: time.Now, ByKey: g.told("SKUPPER_ALLOW_REDEEM_BY_KEY")}
	return g
}

// failure says why the server does not serve, "" if it does or need not.
func (g *grantServer) failure() string {
	if g == nil {
		return "no agent runs"
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return cmp.Or(g.err, g.died)
}

// at is where the server listens.
func (g *grantServer) at() grantAddress {
	if g == nil {
		return grantAddress{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.address
}

// want keeps the server up until a time, and its certificate valid for some
// hosts.
func (g *grantServer) want(ctx context.Context, until time.Time, hosts []string) {
	if g == nil || until.IsZero() {
		return
	}
	g.mu.Lock()
	if until.After(g.wanted) {
		g.wanted = until
	}
	g.mu.Unlock()
	if err := g.open(ctx, hosts...); err != nil {
		g.m.log.Error("grant server", keyErr, err)
	}
}

// promise has the server stay at its port until a time: tokens that were handed out
// name it. Links name it for years, and do not keep the server from serving at the
// next free one; see movedRenewals.
func (g *grantServer) promise(until time.Time) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !until.After(g.named) {
		return
	}
	g.named = until
	if g.address.port == 0 {
		return // it is kept in mind with the port
	}
	if err := g.keep(); err != nil {
		g.m.log.Error("grant server", keyErr, err)
	}
}

// keptPort is where the server listens the next time.
type keptPort struct {
	Port  int       `json:"port"`
	Until time.Time `json:"until,omitzero"` // a token that was handed out names it until then
}

func (g *grantServer) portFile() string {
	return filepath.Join(g.m.options.Paths.ControllerDir(), "grants.json")
}

// kept is the port that the server had, the zero value if it had none.
func (g *grantServer) kept() (k keptPort, err error) {
	file := g.portFile()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err != nil {
		return k, &api.Error{Kind: api.Internal, Message: fmt.Sprintf("%s: %v", file, err), Advice: "put it back as it was or, where no token has to be redeemed any more, remove it"}
	}
	return k, nil
}

// prescribed is the port that a person has chosen, "" if none has.
func (g *grantServer) prescribed() string { return g.m.options.Getenv(grantPortVariable) }

// keep has the next agent listen at the same port. g.mu is held.
func (g *grantServer) keep() error {
	if g.prescribed() != "" {
		return nil // it is told again
	}
	old, err := g.kept()
	if err != nil {
		return err
	}
	next := keptPort{Port: g.address.port, Until: g.named.UTC()}
	if old.Port == next.Port && old.Until.After(next.Until) {
		next.Until = old.Until
	}
	if next == old {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return input.Replace(g.portFile(), append(data, '\n'))
}

// open makes sure that the server listens with a certificate for some hosts.
func (g *grantServer) open(ctx context.Context, hosts ...string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(grantLinger); until.After(g.wanted) {
		g.wanted = until
	}
	g.asked = hosts
	return g.openLocked(ctx)
}

// openToo is open for a request. That it fails is told to whoever asked, and does
// not concern what is served already.
func (g *grantServer) openToo(ctx context.Context, hosts ...string) error {
	g.mu.Lock()
	asked, why := g.asked, g.err
	g.mu.Unlock()
	err := g.open(ctx, hosts...)
	if err != nil {
		g.mu.Lock()
		g.asked, g.err = asked, why
		g.mu.Unlock()
	}
	return err
}

// openLocked opens the server for the hosts asked for, and keeps in mind why it
// fails. g.mu is held.
func (g *grantServer) openLocked(ctx context.Context) error {
	err := g.certify(ctx, g.asked)
	if err == nil && g.listener == nil {
		err = g.take(ctx)
	}
	if err != nil {
		g.err = advised(err.Error(), adviceOf(err))
		signal(g.failed)
		return err
	}
	g.err = ""
	return nil
}

// take takes a port, to be served. g.mu is held.
func (g *grantServer) take(ctx context.Context) error {
	l, err := g.listen(ctx)
	if err != nil {
		return err
	}
	g.address.port = l.Addr().(*net.TCPAddr).Port // as the network says
	if err := g.keep(); err != nil {
		g.address.port = 0
		return errors.Join(err, l.Close())
	}
	g.listener, g.address.fixed = l, g.m.options.Getenv("SKUPPER_GRANT_SERVER_BASE_URL")
	signal(g.wake)
	return nil
}

// signal wakes whoever waits for a channel with room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// retry tries again where the server could not be opened, until ctx is done.
func (g *grantServer) retry(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.failed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(grantRetry):
		}
		if g.again(ctx) {
			g.mended()
		}
	}
}

// again is open for the hosts that were asked for last, as long as the server is
// wanted. It reports whether that has mended it.
func (g *grantServer) again(ctx context.Context) (mended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.always() && time.Now().After(g.wanted) {
		g.err = "" // nobody waits for it any more
	}
	return g.err != "" && g.openLocked(ctx) == nil
}

// listen takes a port that is prescribed, the one that was taken before, or the
// first free one. The second is waited for while a token that was handed out
// names it. g.mu is held.
func (g *grantServer) listen(ctx context.Context) (*net.TCPListener, error) {
	try := func(port int) (*net.TCPListener, error) {
		var c net.ListenConfig
		l, err := c.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(port)))
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil // as the network says
	}
	if text := g.prescribed(); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%s=%q: not a port", grantPortVariable, text)
		}
		l, err := try(port)
		return l, taken(port, err, "end that program, or give the agent another "+grantPortVariable)
	}
	kept, err := g.kept()
	if err != nil {
		return nil, err
	}
	if kept.Port != 0 {
		l, err := try(kept.Port)
		if err == nil {
			return l, nil
		}
		if until := later(kept.Until, g.named); time.Now().Before(until) {
			return nil, taken(kept.Port, err, "end that program: tokens that were handed out name this port. With "+
				grantPortVariable+" the agent takes another one, and they have to be made anew")
		}
	}
	busy := host.NewBusyPorts()
	for port := grantPort; port < grantPort+1000; port++ {
		if busy(port) {
			continue
		}
		if l, err := try(port); err == nil {
			return l, nil
		}
	}
	return nil, errors.New("no free port")
}

// taken says who has a port, if that is why nobody can listen there.
func taken(port int, err error, advice string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	by := cmp.Or(host.NewPortOwners().Of(port), "another program")
	return &api.Error{Kind: api.Internal, Message: fmt.Sprintf("port %d: %s by %s", port, portTaken, by), Advice: advice}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// certify has the server show a certificate for some hosts: that of a person, or
// one of its own, which is made anew in time. g.mu is held.
func (g *grantServer) certify(ctx context.Context, asked []string) error {
	paths := g.m.options.Paths
	now := time.Now()
	dir := paths.AgentCertDir(grantCredential)
	have := readPair(dir)
	if ofPerson(have) {
		return g.show(dir, have, asked, now)
	}
	if i := g.identity; i != nil && bytes.Equal(i.text.Cert, have.Cert) && now.Before(i.renewAt) &&
		!slices.ContainsFunc(asked, func(host string) bool { return !slices.Contains(g.hosts, host) }) {
		return nil
	}
	ca, err := keepPair(paths.AgentIssuerDir(grantCA), pki.Want{
		Authority: true, Subject: grantCA, KeyType: pki.ECDSAP256, Validity: grantCAYears * 365 * 24 * time.Hour,
	}, nil, now)
	if err != nil {
		return err
	}
	by, err := pki.ParseAuthority(ca)
	if err != nil {
		return err
	}
	hosts := slices.Clone(g.hosts)
	facts := host.Look(ctx)
	for _, h := range slices.Concat(asked, []string{facts.Hostname, facts.FQDN, "localhost"}, addresses(facts)) {
		if h != "" && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	pair, err := keepPair(dir, pki.Want{
		Subject: grantCredential, Hosts: hosts, KeyType: pki.ECDSAP256, Validity: grantCertDays * 24 * time.Hour,
	}, by, now)
	if err != nil {
		return err
	}
	info, err := pki.Describe(pair.Cert)
	if err != nil {
		return err
	}
	identity, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	g.hosts, g.address.ca = hosts, ca.Cert
	g.present(&grantIdentity{identity, pipe.Identity{Cert: pair.Cert, Key: pair.Key}, info.RenewAt})
	return nil
}

// ofPerson reports whether a credential is one that a person put there: it is not
// of the authority that the agent makes. That one may have been made anew.
func ofPerson(p pki.Pair) bool {
	info, err := pki.Describe(p.Cert)
	return err == nil && info.Issuer != grantCA
}

// show has the server show the certificate of a person. Nothing is added to it:
// it names the hosts that are asked for, or they are not served. g.mu is held.
func (g *grantServer) show(dir string, p pki.Pair, asked []string, now time.Time) error {
	c, err := pki.Load(p)
	if err == nil && len(c.CAs) == 0 {
		err = fmt.Errorf("%s: %w", pki.CAFile, pki.ErrMissing)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	info, err := pki.Describe(p.Cert)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if now.Before(info.NotBefore) || !now.Before(info.NotAfter) {
		return fmt.Errorf("%s: the certificate is valid from %s to %s", dir, info.NotBefore.Format(time.RFC3339), info.NotAfter.Format(time.RFC3339))
	}
	for _, host := range asked {
		if !info.Covers(host) {
			return fmt.Errorf("%s: the certificate is for %s, not for %s", dir, strings.Join(info.Hosts, ", "), host)
		}
	}
	identity, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	g.hosts, g.address.ca = nil, p.CA
	g.present(&grantIdentity{identity, pipe.Identity{Cert: p.Cert, Key: p.Key}, time.Time{}})
	return nil
}

// present has the server show a certificate from now on. g.mu is held.
func (g *grantServer) present(i *grantIdentity) {
	g.identity = i
	signal(g.renewed)
}

// readPair reads the files of a credential. What is missing is empty.
func readPair(dir string) (p pki.Pair) {
	for name, into := range map[string]*[]byte{pki.CAFile: &p.CA, pki.CertFile: &p.Cert, pki.KeyFile: &p.Key} {
		*into, _ = os.ReadFile(filepath.Join(dir, name))
	}
	return p
}

func addresses(facts host.Facts) []string {
	var list []string
	for _, i := range facts.Interfaces {
		for _, a := range i.Addrs {
			if !a.IsLinkLocalUnicast() {
				list = append(list, a.String())
			}
		}
	}
	return list
}

// keepPair reads a credential of the agent, or makes it anew where it is not
// as wanted.
func keepPair(dir string, w pki.Want, by *pki.Authority, now time.Time) (pki.Pair, error) {
	have := readPair(dir)
	if pki.Decide(w, by, have, now).Reason == pki.Keep {
		return have, nil
	}
	pair, err := pki.Issue(w, by, now, rand.Reader)
	if err != nil {
		return pki.Pair{}, err
	}
	for name, data := range map[string][]byte{pki.CAFile: pair.CA, pki.CertFile: pair.Cert, pki.KeyFile: pair.Key} {
		if err := input.Replace(filepath.Join(dir, name), data); err != nil {
			return pki.Pair{}, err
		}
	}
	return pair, nil
}

// run serves while the server is wanted, until ctx is done.
func (g *grantServer) run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { g.retry(ctx) })
	if g.always() {
		if err := g.open(ctx); err != nil {
			g.m.log.Error("grant server", keyErr, err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		}
		g.mu.Lock()
		l := g.listener
		g.mu.Unlock()
		if l != nil {
			g.serve(ctx, l)
		}
	}
}

// serve serves one listener until nobody wants it any more.
func (g *grantServer) serve(ctx context.Context, l *net.TCPListener) {
	over := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended sync.WaitGroup
	ended.Go(func() {
		g.awaitUnwanted(ctx)
		cancel()
	})
	g.m.log.Info("grants are served", "address", l.Addr().String())
	var err error
	if g.apart {
		g.serveApart(ctx, l)
	} else if err = g.serveHere(ctx, l); err != nil {
		g.m.log.Error("grant server", keyErr, err)
	}
	cancel()
	ended.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = l.Close() // nobody is served any more
	g.listener, g.address.port = nil, 0
	if err == nil && over.Err() == nil && g.left() > 0 { // somebody wanted it while it ended
		_ = g.openLocked(over) // it is said, and tried again
	}
}

// serveHere serves in this process, which is the user's.
func (g *grantServer) serveHere(ctx context.Context, l net.Listener) error {
	s := token.NewServer(token.Route(&token.RenewHandler{Renewer: g.renewer}, &token.Handler{Grantor: g.guard}), g.certificate)
	ending := context.AfterFunc(ctx, func() { _ = s.Close() }) // what is asked then is asked again
	defer ending()
	err := s.ServeTLS(l, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (g *grantServer) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &g.identity.Certificate, nil
}

// always reports whether the server listens without a grant as well.
func (g *grantServer) always() bool { return g.told("SKUPPER_ENABLE_GRANTS") }

// told reports whether a variable of the environment says true.
func (g *grantServer) told(name string) bool {
	on, err := strconv.ParseBool(g.m.options.Getenv(name))
	return on && err == nil
}

// left is how long the server is wanted yet. g.mu is held.
func (g *grantServer) left() time.Duration { return time.Until(g.wanted.Add(grantLinger)) }

// awaitUnwanted returns when the last grant ended long enough ago.
func (g *grantServer) awaitUnwanted(ctx context.Context) {
	if g.always() {
		<-ctx.Done()
		return
	}
	for {
		g.mu.Lock()
		left := g.left()
		g.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left):
		}
	}
}
