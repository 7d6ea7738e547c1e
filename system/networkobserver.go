package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/state"
)

// observerStop is what the network observer gets to end: it keeps nothing that
// takes time to put away.
const observerStop = 10 * time.Second

// ObserverOptions are how the network observer is to run. Paths are absolute;
// addresses are HOST:PORT.
type ObserverOptions struct {
	Namespace     string   `json:"namespace"` // whose router it is connected to
	Listen        string   `json:"listen"`
	ListenMetrics string   `json:"listenMetrics,omitempty"`
	TLSCert       string   `json:"tlsCert,omitempty"`
	TLSKey        string   `json:"tlsKey,omitempty"`
	OwnCert       bool     `json:"ownCert,omitempty"` // it shows a certificate that is made for it
	Users         string   `json:"users,omitempty"`   // file of those who may log in; "": nobody has to
	Open          bool     `json:"open,omitempty"`
	Hosts         []string `json:"hosts,omitempty"`
}

// ObserverRecord is the installed network observer, and what was made for it.
type ObserverRecord struct {
	ObserverOptions
	UnitFile string `json:"unitFile,omitempty"` // written by us
	Enabled  bool   `json:"enabled,omitempty"`  // it starts with the machine or the user
}

// ReadObserverRecord reads how the network observer is to run; nil where none is
// installed.
func ReadObserverRecord(paths layout.Paths) (*ObserverRecord, error) {
	data, err := os.ReadFile(paths.ObserverRecord())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &ObserverRecord{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", paths.ObserverRecord(), err)
	}
	return r, nil
}

func (r *ObserverRecord) write(paths layout.Paths) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return input.Replace(paths.ObserverRecord(), append(data, '\n'))
}

// Certificate is where the certificate lies that the network observer shows, and
// its key; both are "" for none.
func (o *ObserverOptions) Certificate(paths layout.Paths) (cert, key string) {
	if o.OwnCert {
		return filepath.Join(paths.ObserverCerts(), pki.CertFile), filepath.Join(paths.ObserverCerts(), pki.KeyFile)
	}
	return o.TLSCert, o.TLSKey
}

// lowPorts reports whether it listens where an ordinary process may not.
func (o *ObserverOptions) lowPorts() bool {
	first := host.FirstPort()
	return slices.ContainsFunc([]string{o.Listen, o.ListenMetrics}, func(address string) bool {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			return false
		}
		port, err := strconv.Atoi(text)
		return err == nil && port < first
	})
}

// unit is the wanted unit of the network observer. With a service manager of the
// system the certificate's files, which may be root's, are handed to it as
// credentials: the name of each, and where it lies.
func (o *ObserverOptions) unit(binary string, paths layout.Paths, managed bool) (u state.Unit, credentials map[string]string, err error) {
	n, err := paths.Namespace(o.Namespace)
	if err != nil {
		return u, nil, err
	}
	socket, err := paths.ObserverSocket()
	if err != nil {
		return u, nil, err
	}
	cert, key := o.Certificate(paths)
	if paths.System && managed && o.TLSCert != "" {
		credentials = map[string]string{"tls.crt": cert, "tls.key": key}
		dir := render.CredentialDir + layout.ObserverUnitName
		cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	}
	command := []string{binary, "network-observer", "run", "--router-endpoint", "unix:" + n.RouterSocket, "--socket", socket, "--listen", o.Listen}
	for _, f := range [][2]string{{"--listen-metrics", o.ListenMetrics}, {"--tls-cert", cert}, {"--tls-key", key}, {"--htpasswd", o.Users}} {
		if f[1] != "" {
			command = append(command, f[0], f[1])
		}
	}
	if o.Open {
		command = append(command, "--open")
	}
	for _, h := range o.Hosts {
		command = append(command, "--host", h)
	}
	u = state.Unit{
		Running: true, Enabled: true, Identity: strings.Join(command, " "), Command: command,
		RunDir: paths.ObserverRun(), Log: paths.ObserverLog(), Stop: observerStop, LowPorts: paths.System && o.lowPorts(),
	}
	if _, err := user.Lookup(routerUser); paths.System && (managed || err == nil) {
		u.User = routerUser
	}
	return u, credentials, nil
}

// observes reports whether the agent looks after a network observer.
func (m *machine) observes() bool {
	if m.systemd {
		return false
	}
	_, err := os.Stat(m.options.Paths.ObserverRecord())
	return err == nil
}

// observerCheck is the time between two looks at the certificate of the network
// observer.
const observerCheck = time.Hour

// keepObserver starts the network observer with the agent that looks after it, and
// renews its certificate, until ctx is done.
func (m *machine) keepObserver(ctx context.Context) {
	m.renewObserver(ctx, time.Now())
	m.resumeObserver(ctx)
	tick := time.NewTicker(observerCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.renewObserver(ctx, time.Now())
	}
}

// renewObserver makes the certificate of the network observer anew where it is
// due, or a name of the host is not in it. The observer sees it by itself.
func (m *machine) renewObserver(ctx context.Context, now time.Time) {
	r, err := ReadObserverRecord(m.options.Paths)
	if err == nil && r != nil && r.OwnCert {
		var made bool
		if made, err = certifyObserver(ctx, m.options.Paths, r.ObserverOptions, now); made {
			m.log.Info("certificate of the network observer renewed")
		}
	}
	if err != nil {
		m.log.Error("certificate of the network observer not renewed", keyErr, err)
	}
}

// resumeObserver starts the network observer with the agent that looks after it.
func (m *machine) resumeObserver(ctx context.Context) {
	if !m.observes() {
		return
	}
	if _, err := m.operateObserver(ctx, api.Start); err != nil && ctx.Err() == nil {
		m.log.Error("network observer not started", keyErr, err)
	}
}

func observerRef(paths layout.Paths) host.UnitRef {
	return host.UnitRef{
		Name: layout.ObserverUnitName, File: paths.ObserverUnit(), Records: paths.ObserverSupervision(), PIDFile: filepath.Join(paths.ObserverRun(), "observer.pid"),
	}
}

// operateObserver does what api.Controller.Observer says.
func (m *machine) operateObserver(ctx context.Context, op api.Operation) (*api.ObserverState, error) {
	var err error
	switch {
	case op == "":
	case m.systemd:
		err = &api.Error{Kind: api.Conflict, Message: "systemd runs the network observer", Advice: "systemctl " + string(op) + " " + layout.ObserverUnitName}
	case op == api.Start:
		err = m.startObserver(ctx)
	case op == api.Stop:
		err = m.units.Stop(ctx, observerRef(m.options.Paths), state.Unit{})
	default:
		err = &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("network observer: %q is neither start nor stop", op)}
	}
	if err != nil {
		return nil, err
	}
	return m.observerState(ctx)
}

func (m *machine) startObserver(ctx context.Context) error {
	r, err := ReadObserverRecord(m.options.Paths)
	if err != nil {
		return err
	}
	if r == nil {
		return &api.Error{Kind: api.Missing, Message: "no network observer is installed", Advice: "`skupper system network-observer install` does it"}
	}
	u, _, err := r.unit(m.options.Binary, m.options.Paths, false)
	if err != nil {
		return err
	}
	err = m.units.Start(ctx, observerRef(m.options.Paths), u)
	var failed *host.UnitError
	if errors.As(err, &failed) {
		return observerFailure(failed, "its log is "+m.options.Paths.ObserverLog())
	}
	return err
}

func (m *machine) observerState(ctx context.Context) (*api.ObserverState, error) {
	s, err := m.units.Status(ctx, observerRef(m.options.Paths))
	if err != nil {
		return nil, err
	}
	out := &api.ObserverState{Running: s.State == host.UnitActive || s.State == host.UnitReloading, PID: s.PID, Since: s.Since}
	if !out.Running {
		out.Message = first(s.Text, s.Result, string(s.State))
	}
	return out, nil
}
