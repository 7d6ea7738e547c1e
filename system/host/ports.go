package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
)

// Ports is the registry of the addresses that the namespaces of an instance
// listen on, running or not, so that two of them never want the same one. It is
// written by the agent, which holds the lock of the data home. It is not safe
// for concurrent use.
type Ports struct {
	path   string
	claims []Claim
	saved  []Claim
	given  map[string][]Claim // as they were claimed last, by namespace
}

// Claim is an address that a namespace wants.
type Claim struct {
	Host      string `json:"host"` // empty: all addresses
	Port      int    `json:"port"`
	Namespace string `json:"namespace"`
	Owner     string `json:"owner"` // "listener db"
}

// ClaimError says that another namespace has an address.
type ClaimError struct{ Wanted, Taken Claim }

func (e *ClaimError) Error() string {
	return fmt.Sprintf("port %d, wanted by %s: taken by %s in namespace %s", e.Wanted.Port, e.Wanted.Owner, e.Taken.Owner, e.Taken.Namespace)
}

// Hint says what a person can do.
func (e *ClaimError) Hint() string { return "choose another port" }

// LoadPorts reads the registry; there may be none yet. One that is damaged is
// put aside: the error says so, and the empty registry beside it fills again as
// the namespaces claim what they have.
func LoadPorts(path string) (*Ports, error) {
	p := &Ports{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &p.claims); err != nil {
		p.claims = nil
		return p, errors.Join(fmt.Errorf("%s is damaged and put aside: %w", path, err), os.Rename(path, path+".bad"))
	}
	p.saved = slices.Clone(p.claims)
	return p, nil
}

// Claims lists all claims by namespace and port.
func (p *Ports) Claims() []Claim { return slices.Clone(p.claims) }

// Claim replaces what a namespace has. The error joins a *ClaimError for each
// address that another namespace has; then nothing changes.
func (p *Ports) Claim(namespace string, claims []Claim) error {
	if last, ok := p.given[namespace]; ok && slices.Equal(last, claims) {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(p.claims), func(c Claim) bool { return c.Namespace == namespace })
	at := make(map[int][]Claim, len(others))
	for _, o := range others {
		at[o.Port] = append(at[o.Port], o)
	}
	var errs []error
	for _, c := range claims {
		for _, o := range at[c.Port] {
			if overlap(o.Host, c.Host) {
				errs = append(errs, &ClaimError{c, o})
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if p.given == nil {
		p.given = make(map[string][]Claim)
	}
	p.given[namespace] = slices.Clone(claims)
	for _, c := range claims {
		c.Namespace = namespace
		others = append(others, c)
	}
	slices.SortFunc(others, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Owner, b.Owner))
	})
	p.claims = others
	return nil
}

// overlap reports whether two hosts can have an address in common.
func overlap(a, b string) bool {
	wild := func(host string) bool {
		addr, err := netip.ParseAddr(host)
		return host == "" || err == nil && addr.IsUnspecified()
	}
	return a == b || wild(a) || wild(b)
}

// Release forgets the claims of a namespace.
func (p *Ports) Release(namespace string) {
	delete(p.given, namespace)
	p.claims = slices.DeleteFunc(p.claims, func(c Claim) bool { return c.Namespace == namespace })
}

// Save writes the registry if it has changed. It is not flushed: it can be made
// again.
func (p *Ports) Save() error {
	if slices.Equal(p.claims, p.saved) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(p.claims)
	if err != nil {
		return err
	}
	if err := writeFile(p.path, append(data, '\n'), volatile); err != nil {
		return err
	}
	p.saved = slices.Clone(p.claims)
	return nil
}
