package forward

// Address is one address in a Snapshot: its treatment and destinations. It is
// immutable. All methods may be called on nil, an address without anything.
type Address struct {
	key       Key
	treatment Treatment
	priority  int
	processes []member
	locals    []member
	proxies   []member
	holders   []holder // by index
	producers int
	watchers  int
	load      *load
}

// Counts says how many destinations and users an address has.
type Counts struct {
	Local     int // attached to this router
	Process   int // inside this router
	Proxy     int // links to destinations elsewhere
	Remote    int // other routers
	Producers int // links that send to it
	Watchers  int // whoever waits for a destination
}

// Reachable tells whether there is any destination.
func (c Counts) Reachable() bool { return c.Local+c.Process+c.Proxy+c.Remote > 0 }

// Key returns the key, zero for nil.
func (a *Address) Key() Key {
	if a == nil {
		return Key{}
	}
	return a.key
}

// Treatment returns the treatment, Unavailable for nil.
func (a *Address) Treatment() Treatment {
	if a == nil {
		return Unavailable
	}
	return a.treatment
}

// Priority is the configured priority of messages, -1 if there is none.
func (a *Address) Priority() int {
	if a == nil {
		return -1
	}
	return a.priority
}

// Counts counts destinations and users.
func (a *Address) Counts() Counts {
	if a == nil {
		return Counts{}
	}
	return Counts{
		Local: len(a.locals), Process: len(a.processes), Proxy: len(a.proxies), Remote: len(a.holders),
		Producers: a.producers, Watchers: a.watchers,
	}
}

// CanSend tells whether messages that come from an edge connection of the
// given mesh (empty = unknown) would find a destination: one that is not
// behind the same mesh. It is what an interior router reports to its edges.
func (a *Address) CanSend(mesh string) bool {
	if a == nil {
		return false
	}
	for _, h := range a.holders {
		if h.mesh == "" || h.mesh != mesh {
			return true
		}
	}
	for _, m := range a.locals {
		if m.mesh == "" || m.mesh != mesh {
			return true
		}
	}
	return a.announcedProcess()
}

func (a *Address) announcedProcess() bool {
	for _, m := range a.processes {
		if m.Announced {
			return true
		}
	}
	return false
}

// Announcement is what this router tells others about an address.
type Announcement struct {
	Treatment Treatment
	Producers int
	Mesh      string // edge mesh behind which all local destinations are
}

// Announcement returns what is to be announced, false if nothing is: the
// address has no destination of this router's own or is not of a class that
// routers tell each other about.
func (a *Address) Announcement() (Announcement, bool) {
	if a == nil || !a.key.Announced() || len(a.locals) == 0 && !a.announcedProcess() {
		return Announcement{}, false
	}
	return Announcement{Treatment: a.treatment, Producers: a.producers, Mesh: a.soleMesh()}, true
}

// soleMesh is the mesh behind which all destinations of this router are, empty
// if there is none.
func (a *Address) soleMesh() string {
	if len(a.locals) == 0 || a.announcedProcess() {
		return ""
	}
	mesh := a.locals[0].mesh
	for _, m := range a.locals[1:] {
		if m.mesh != mesh {
			return ""
		}
	}
	return mesh
}

// Consumers calls f for every consumer in this router until it returns false.
func (a *Address) Consumers(f func(*Consumer) bool) {
	if a == nil {
		return
	}
	for _, list := range [...][]member{a.processes, a.locals, a.proxies} {
		for _, m := range list {
			if !f(m.Consumer) {
				return
			}
		}
	}
}

// Holders calls f for every other router that has destinations, by index,
// until it returns false.
func (a *Address) Holders(f func(router int, mesh string) bool) {
	if a == nil {
		return
	}
	for _, h := range a.holders {
		if !f(int(h.router), h.mesh) {
			return
		}
	}
}
