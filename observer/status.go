package observer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/collect"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
)

// Paths beside those of the API, on the Unix socket only.
const (
	StatusPath = "/status" // answers a Status
	RatesPath  = "/rates"  // answers a map of LinkRate by the identity of the link
)

// Status is how an observer is.
type Status struct {
	Version       string    `json:"version"`
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	Listen        string    `json:"listen"` // HOST:PORT
	TLS           bool      `json:"tls"`
	ListenMetrics string    `json:"listenMetrics"`
	Login         bool      `json:"login"` // it is needed, but for the socket
	Users         string    `json:"users"` // the file with those who may log in

	Certificate *Certificate `json:"certificate,omitempty"` // that it shows now

	Router    string    `json:"router"` // its URL
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`   // connected or not
	Problem   string    `json:"problem"` // why not

	Sources map[string]int `json:"sources"` // event sources by state: new, live, silent, gone
}

// LinkRate is what flows over a link between routers, bytes per second, seen from
// the router that dials it.
type LinkRate struct {
	Sent     float64 `json:"sent"`
	Received float64 `json:"received"`
}

// linkRates is what flowed over each link between the last two observations.
type linkRates struct {
	mu   sync.Mutex
	at   time.Time            // guarded by mu; of the last observation
	seen map[string][2]uint64 // guarded by mu; bytes sent and received then
	now  map[string]LinkRate  // guarded by mu; replaced, never changed
}

// observe takes the counters of the links at a moment. A counter that is smaller
// than before has begun anew: what it has is what flowed.
func (l *linkRates) observe(at time.Time, links []*record.RouterLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seconds := at.Sub(l.at).Seconds()
	seen, now := make(map[string][2]uint64, len(links)), make(map[string]LinkRate, len(links))
	for _, r := range links {
		have := [2]uint64{r.OctetCount, r.OctetReverseCount}
		seen[r.Identity] = have
		if before, ok := l.seen[r.Identity]; ok && seconds > 0 {
			now[r.Identity] = LinkRate{grown(before[0], have[0]) / seconds, grown(before[1], have[1]) / seconds}
		}
	}
	l.at, l.seen, l.now = at, seen, now
}

func grown(before, now uint64) float64 {
	if now < before {
		return float64(now)
	}
	return float64(now - before)
}

// rates returns what flows over the links; nobody changes it.
func (l *linkRates) rates() map[string]LinkRate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// beside is what is served on the Unix socket: the API, and how the observer is.
func (cfg *Config) beside(api http.Handler, n *network.Network, c *collect.Collector, links *linkRates, secure *certificate) http.Handler {
	began := time.Now()
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, _ *http.Request) {
		now := c.Status()
		at := shown(now)
		s := Status{
			Version: cfg.Version, PID: os.Getpid(), Started: began, Listen: cfg.Listen, TLS: cfg.TLSCert != "", ListenMetrics: cfg.ListenMetrics,
			Login: cfg.Users != "", Users: cfg.Users, Router: cfg.Router, Connected: at.Connected, Since: now.Since, Problem: at.Problem, Sources: map[string]int{},
		}
		if secure != nil {
			s.Certificate = described(secure.now(time.Now()).Leaf)
		}
		for _, source := range n.Sources() {
			s.Sources[source.State]++
		}
		answer(w, s)
	})
	mux.HandleFunc("GET "+RatesPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, links.rates()) })
	return mux
}

// shown is how the collector is, as the API has it.
func shown(s collect.Status) record.Observer {
	o := record.Observer{Connected: s.Connected}
	if !s.Since.IsZero() {
		o.Since = uint64(s.Since.UnixMicro())
	}
	if s.Err != nil && !s.Connected {
		o.Problem = s.Err.Error()
	}
	return o
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to be told
}

// listenUnix opens a socket for the user of the process. One that nobody serves
// any more is replaced.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if conn, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close() // only to see who is there
		return nil, &Error{what: path + ": another network observer serves there", hint: "`skupper system network-observer status` says which"}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("network observer: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("network observer: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("network observer: %w", err), l.Close())
	}
	return l, nil
}
