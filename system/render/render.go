package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// Input is all that a wanted State depends on.
type Input struct {
	Site    *site.Site
	Paths   layout.NamespacePaths
	Base    layout.Paths // of the instance
	Machine Machine

	// Memory is what the namespace remembers; what the caller changed of it
	// takes effect. Have is what is on disk now.
	Memory state.Memory
	Have   state.State

	// Supplied is what a person put into the input besides resources.
	Supplied Supplied

	// Objects are the resources in effect with their status, Snapshot those of
	// the input as they were loaded. InputHash is that of the input: when it
	// changes, a generation begins.
	Objects   []resource.Object
	Snapshot  []resource.Object
	InputHash string

	// Renew names credentials that are to be made anew although they need not.
	Renew []string

	Now    time.Time
	Random io.Reader // for serial numbers and names

	// Records keeps what was rendered for a caller who renders often; nil keeps
	// nothing.
	Records Records

	// Writer writes the router's configuration; nil means a new one.
	Writer *config.Writer
}

// Records keeps the documents of objects from rendering to rendering.
type Records interface {
	// Text is the document of an object. One that is kept is known to be on the
	// disk as it is: it is left out of the State.
	Text(k RecordKind, o resource.Object) (text []byte, kept bool)
}

// RecordKind tells the two records of an object apart.
type RecordKind int

// The kinds of records.
const (
	Shown  RecordKind = iota // in effect, with its status
	Loaded                   // as the input has it
)

// Path is where a record is.
func (k RecordKind) Path(p layout.NamespacePaths, ref resource.Ref) string {
	if k == Loaded {
		return filepath.Join(p.Snapshot(), string(ref.Kind)+"-"+ref.Name+".yaml")
	}
	return p.RuntimeResource(string(ref.Kind), ref.Name)
}

// Machine is what matters of the machine and the program.
type Machine struct {
	Systemd   bool   // a service manager answers: a unit file is wanted
	Binary    string // our program, absolute path
	User      string // routers run as; empty: as the agent
	FirstPort int    // first unprivileged port; 0: not known
	Platform  string // "linux", "podman", "docker"
	Version   string // of the program

	// The following matter on the platforms of containers.

	Image      string // of the router
	LocalImage bool   // it is made from our program
	UID, GID   int    // the router runs as
	KeepID     bool   // the engine is a user's, and its user is to be the same inside
	Podman     string // the program, absolute path
	Quadlet    bool   // podman has systemd's units made of the files that are for it
}

// Supplied is the material of a person, by the name of its directory.
type Supplied struct {
	Certs   map[string]pki.Pair // input/certs
	Issuers map[string]pki.Pair // input/issuers
	Proxies map[string]Proxy    // input/proxies
}

// Proxy is an HTTP proxy for links.
type Proxy struct {
	Host, Port         string
	Username, Password string
}

// Output is what was rendered.
type Output struct {
	State  state.State
	Memory state.Memory // as it will be once State is applied; it is part of State
	Issued []Issued     // certificates that were made, and why

	// Credentials are the files of every credential and authority in use.
	Credentials map[CredentialKey]pki.Pair
}

// CredentialKey names a credential. Authorities live in a directory of their
// own and may share names with others.
type CredentialKey struct {
	Authority bool
	Name      string
}

func (k CredentialKey) String() string {
	if k.Authority {
		return state.Authority(k.Name)
	}
	return state.Certificate(k.Name)
}

// Issued is a certificate that was made.
type Issued struct {
	Key      CredentialKey
	Host     string // of a link file; Key then names its Link
	Decision pki.Decision
	NotAfter time.Time
}

// Render makes the wanted State of a site. Errors are about material that a
// person supplied and name its file; they join all there are.
func Render(in Input) (Output, error) {
	r := &renderer{in: in, out: Output{Credentials: make(map[CredentialKey]pki.Pair)}}
	r.remember()
	r.dirs()
	if err := r.credentials(); err != nil {
		return Output{}, err
	}
	if err := r.linkFiles(); err != nil {
		return Output{}, err
	}
	r.proxies()
	r.router()
	r.resources()
	r.unit()
	r.memory()
	return r.out, nil
}

// renderer is a State in the making.
type renderer struct {
	in  Input
	out Output
}

// remember gives out what a site keeps for life.
func (r *renderer) remember() {
	m := r.in.Memory
	m.SiteID = cmp.Or(r.in.Site.ID, m.SiteID)
	if m.SiteID == "" {
		m.SiteID = newUUID(r.in.Random)
	}
	if m.RouterID == "" {
		m.RouterID = r.in.Site.Name + "-" + short(m.SiteID)
	}
	if r.in.InputHash != m.InputHash || m.Generation == 0 {
		m.Generation++
		m.InputHash = r.in.InputHash
	}
	m.Ports = r.in.Site.Ports
	old := m.Credentials
	m.Credentials = make(map[string]state.Issue)
	for name, issue := range old {
		m.Credentials[name] = issue
	}
	r.in.Memory = m
}

// short is 8 hexadecimal digits of an id.
func short(id string) string {
	if len(id) >= 8 && strings.Trim(id[:8], "0123456789abcdef") == "" {
		return id[:8]
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4])
}

// newUUID is a random UUID (RFC 9562 §5.4).
func newUUID(random io.Reader) string {
	b := draw(random, 16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// draw reads n random bytes. A source of randomness that fails is not one.
func draw(random io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		panic(fmt.Sprintf("render: source of randomness: %v", err))
	}
	return b
}

// unit adds the unit, and its file where a service manager runs it.
func (r *renderer) unit() {
	name := layout.UnitName(r.in.Paths.Name)
	u := routerUnit(r.in, r.in.Memory.RouterID)
	r.out.State.Units = map[string]state.Unit{name: u}
	if u.File != "" {
		r.out.State.Dirs[filepath.Dir(u.File)] = state.Dir{Mode: 0o755, Shared: true, Lax: true}
		r.file(u.File, state.File{Data: unitText(r.in, u), Mode: 0o644, Subject: state.SubjectUnit})
	}
}

func unitText(in Input, u state.Unit) []byte {
	if u.Generated() {
		return quadlet(in.Paths.Name, in.Machine.Podman, u, in.Base)
	}
	if u.Container != nil {
		return podmanUnit(in.Paths.Name, in.Machine.Podman, u, in.Base)
	}
	return RouterUnit(in.Paths.Name, u, in.Base)
}

// memory adds the records of the namespace, with what was made on the way.
func (r *renderer) memory() {
	r.file(r.in.Paths.Platform(), state.File{Data: []byte("platform: " + r.in.Machine.Platform + "\n"), Mode: 0o644, Subject: state.SubjectMemory, Record: true})
	r.file(r.in.Paths.State(), state.File{Data: r.in.Memory.Encode(), Mode: 0o600, Subject: state.SubjectMemory, Record: true})
	r.out.Memory = r.in.Memory
}

func (r *renderer) file(path string, f state.File) {
	if r.out.State.Files == nil {
		r.out.State.Files = make(map[string]state.File)
	}
	r.out.State.Files[path] = f
}
