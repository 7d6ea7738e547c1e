package network

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Limits bound what is kept. Zero fields take the default.
type Limits struct {
	Connections int           // rows of connections; 20,000
	Requests    int           // rows of requests; 50,000
	TTL         time.Duration // how long ended ones are kept; 15 min
	Logs        int           // lines of routers' logs; 1,000

	Sources        int // event sources; 10,000
	Records        int // of one source, without connections and requests; 50,000
	Entries        int // the same of all sources; 2,000,000
	Flows          int // live connections and requests of one source; 10,000
	Text           int // bytes of a text; 1,024
	Series         int // label sets of traffic; 20,000
	Pairs          int // of each kind; 20,000
	ClientsPerSite int // clients with a process of their own; 1,000

	// Settle is how long a site must have been known before servers and clients
	// are invented that none of its processes explain; 2 s. In a Kubernetes
	// site, and for a connector that names its process, it takes Patience; 15 s.
	Settle, Patience time.Duration
}

// withDefaults fills what is not set.
func (l Limits) withDefaults() Limits {
	number := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	duration := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	number(&l.Connections, 20_000)
	number(&l.Requests, 50_000)
	number(&l.Logs, 1000)
	number(&l.Sources, 10_000)
	number(&l.Records, 50_000)
	number(&l.Entries, 2_000_000)
	number(&l.Flows, 10_000)
	number(&l.Text, 1024)
	number(&l.Series, 20_000)
	number(&l.Pairs, 20_000)
	number(&l.ClientsPerSite, 1000)
	duration(&l.TTL, 15*time.Minute)
	duration(&l.Settle, 2*time.Second)
	duration(&l.Patience, 15*time.Second)
	return l
}

// clean makes a text what it may be in a label and in memory: UTF-8, not longer
// than the limit.
func (l *Limits) clean(s string) string {
	if len(s) > l.Text {
		end := l.Text
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = strings.Clone(s[:end])
	}
	if !utf8.ValidString(s) {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
