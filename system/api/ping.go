package api

// PingRequest names what is looked for: a routing key or, where there is none of
// that name, a site.
type PingRequest struct {
	Target string `json:"target"`
}

// Kinds of what a Ping is about.
const (
	PingRoutingKey = "routing key"
	PingSite       = "site"
)

// Ping is what was found on the way to a routing key or a site.
type Ping struct {
	Target  string     `json:"target"`
	Kind    string     `json:"kind"`    // "routing key" or "site"
	OK      bool       `json:"ok"`      // a way leads to a server that answers, to one whose router cannot be asked to connect, or to the site
	Problem string     `json:"problem"` // what is broken and why, "" if OK
	Advice  string     `json:"hint"`    // what to do about it
	Paths   []PingPath `json:"paths"`   // one to each router, the nearest first
}

// PingPath is the way to one router.
type PingPath struct {
	Router  string       `json:"router"`
	Site    string       `json:"site"`
	Hops    []PingHop    `json:"hops"` // from this router to that one, or to where the way ends
	Servers []PingServer `json:"servers"`
	Problem string       `json:"problem"` // why none of it works, else ""
	Advice  string       `json:"hint"`
}

// PingHop is one router on the way.
type PingHop struct {
	Router    string `json:"router"`
	Site      string `json:"site"`
	Cost      int    `json:"cost"`      // of the link to it
	RoundTrip int64  `json:"roundTrip"` // from this router to it and back, microseconds
	Problem   string `json:"problem"`
}

// PingServer is a server behind a connector.
type PingServer struct {
	Connector string `json:"connector"`
	Host      string `json:"host"`
	Port      string `json:"port"`
	OK        bool   `json:"ok"`
	Took      int64  `json:"took"` // to connect, TLS included; microseconds
	Problem   string `json:"problem"`
	Advice    string `json:"hint"`
	Note      string `json:"note"` // why it was not tried
}
