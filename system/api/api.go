package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Controller is what looks after the namespaces of one instance. Every method
// returns a *Error for what went wrong on purpose.
type Controller interface {
	// Agent describes the agent itself.
	Agent(ctx context.Context) (*Agent, error)
	// Namespaces lists the namespaces in order of their names.
	Namespaces(ctx context.Context) ([]Namespace, error)
	// Status tells how a namespace is now, asked of the running router.
	Status(ctx context.Context, namespace string) (*Status, error)
	// Observer starts or stops the network observer that is installed where no
	// service manager runs it, or tells how it is.
	Observer(ctx context.Context, r ObserverRequest) (*ObserverState, error)
	// Names lists the resources of a namespace, without asking anybody.
	Names(ctx context.Context, namespace string) (*[]Ref, error)
	// Check tells whether an input is in effect and its objects are as wanted.
	Check(ctx context.Context, namespace string, r CheckRequest) (*Check, error)
	// Ping follows the way to the servers of a routing key, or to a site.
	Ping(ctx context.Context, namespace string, r PingRequest) (*Ping, error)
	// Apply adds and changes resources.
	Apply(ctx context.Context, namespace string, r ApplyRequest) (*Result, error)
	// Delete removes resources.
	Delete(ctx context.Context, namespace string, r DeleteRequest) (*Result, error)
	// Patch changes fields of one resource and keeps the rest of its document.
	Patch(ctx context.Context, namespace string, r PatchRequest) (*Result, error)
	// Operate starts, stops, reloads, restarts or destroys a site.
	Operate(ctx context.Context, namespace string, r OperateRequest) (*Result, error)
	// Link makes a link file for another site.
	Link(ctx context.Context, namespace string, r LinkRequest) (*LinkFile, error)
	// Token makes a token, with which another site gets a link to this one.
	Token(ctx context.Context, namespace string, r TokenRequest) (*TokenFile, error)
	// Redeem exchanges a token of another site for a link to it.
	Redeem(ctx context.Context, namespace string, r RedeemRequest) (*Result, error)
	// Renew makes new certificates before they are due.
	Renew(ctx context.Context, namespace string, r RenewRequest) (*Result, error)
}

// Agent describes the process that looks after the namespaces.
type Agent struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"startedAt"`
	System    bool      `json:"system"` // the system instance, not a user's
	DataHome  string    `json:"dataHome"`
	Units     string    `json:"units"` // who supervises routers: "systemd" or "agent"
}

// ObserverRequest is about the network observer.
type ObserverRequest struct {
	Operation Operation `json:"operation"` // start, which has changed options take effect, or stop; "" only asks
}

// ObserverState is how the process of the network observer is.
type ObserverState struct {
	Running bool      `json:"running"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since,omitzero"` // of the process
	Message string    `json:"message"`        // why it does not run, "" if it does
}

// State is where a namespace stands.
type State string

// The states of a namespace.
const (
	Defined  State = "defined"  // has input, was never started
	Stopped  State = "stopped"  // was started, and stopped on purpose
	Running  State = "running"  // the router answers
	Failed   State = "failed"   // should run and does not
	Leftover State = "leftover" // a unit or process without a namespace directory
)

// Namespace is one line about a namespace.
type Namespace struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
	Site     string `json:"site"` // name of the site, "" if there is none
	State    State  `json:"state"`
	Message  string `json:"message"` // why, when not Running
	Unit     string `json:"unit"`
	PID      int    `json:"pid"`
	Dir      string `json:"dir"`

	// What the running router says; all zero while it does not answer.
	RouterID    string    `json:"routerId"`
	Version     string    `json:"version"`
	Since       time.Time `json:"since,omitzero"` // when its process started
	Links       Tally     `json:"links"`          // that this site makes
	RemoteLinks int       `json:"remoteLinks"`    // that other sites made to it
	Listeners   Tally     `json:"listeners"`      // down: those that cannot listen
	Connections int64     `json:"connections"`    // through listeners and connectors, now

	Generation int64     `json:"generation"`       // of the input in effect
	Expires    time.Time `json:"expires,omitzero"` // when the first of its certificates ends
	Warnings   []string  `json:"warnings"`         // about the input, and what was given and ignored
}

// Tally counts what is in order and what is not.
type Tally struct {
	Up   int `json:"up"`
	Down int `json:"down"`
}

// String is how many of how many are up, "-" where there are none.
func (t Tally) String() string {
	if t.Up+t.Down == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", t.Up, t.Up+t.Down)
}

// Status is how a namespace is.
type Status struct {
	Namespace Namespace `json:"namespace"`
	Observed  bool      `json:"observed"` // the router answered; otherwise objects are as last known
	Router    Router    `json:"router"`

	// Generation counts applied inputs; Error says why the newest input is not
	// in effect.
	Generation int64  `json:"generation"`
	Error      string `json:"error,omitempty"`

	// Objects are the resources in effect with their status, in the shape of
	// their documents.
	Objects []json.RawMessage `json:"objects"`

	Links        []LinkState   `json:"links"`       // to other sites, asked for by this one
	RemoteLinks  []LinkState   `json:"remoteLinks"` // asked for by other sites
	Listeners    []BridgeState `json:"listeners"`   // multi-key listeners included
	Connectors   []BridgeState `json:"connectors"`
	Certificates []Certificate `json:"certificates"`
	Network      []Site        `json:"network"`
	Services     []Service     `json:"services"`
	Warnings     []string      `json:"warnings"`
}

// Router is the running router.
type Router struct {
	ID      string    `json:"id"`
	Mode    string    `json:"mode"`
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"` // start of the process; zero when it does not run
}

// LinkState is how a link is.
type LinkState struct {
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Message    string    `json:"message"`
	Cost       int       `json:"cost"`
	RemoteSite string    `json:"remoteSite"`
	Direction  string    `json:"direction"` // "outgoing" or "incoming"
	Role       string    `json:"role"`
	Endpoint   string    `json:"endpoint"`
	Expires    time.Time `json:"expires"`   // of the client certificate; zero if not known
	Since      time.Time `json:"since"`     // of the connection; zero while there is none
	RoundTrip  int64     `json:"roundTrip"` // to the host at the other end and back, microseconds; 0 if not known
}

// BridgeState is the traffic of a listener or a connector.
type BridgeState struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Active   int64  `json:"active"` // connections now
	Total    int64  `json:"total"`  // connections since the router started
	BytesIn  int64  `json:"bytesIn"`
	BytesOut int64  `json:"bytesOut"`
	TLS      bool   `json:"tls"` // between client and listener, connector and server

	Failed    int64  `json:"failed"`    // connections to the server that could not be made
	LastError string `json:"lastError"` // why the last of those could not, and when
}

// Certificate is a certificate of a site.
type Certificate struct {
	Name    string    `json:"name"`
	Use     string    `json:"use"` // ca, server, client, trust
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Hosts   []string  `json:"hosts"`
	Serial  string    `json:"serial"` // hexadecimal
	Expires time.Time `json:"expires"`
	Renews  time.Time `json:"renews"` // zero: not renewed by this site
	Source  string    `json:"source"` // generated, directory, secret
	Status  string    `json:"status"`
	Message string    `json:"message"`
}

// Site is a site of the network, as this one sees it.
type Site struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Platform string   `json:"platform"`
	Routers  []string `json:"routers"`
	Hops     int      `json:"hops"` // 0: this site
	Cost     int      `json:"cost"`

	Links []SiteLink `json:"links"` // those that it made
}

// SiteLink is a link of a site to another one.
type SiteLink struct {
	Name        string `json:"name"`
	Site        string `json:"site"` // at the other end, "" if it is not known
	Operational bool   `json:"operational"`
}

// Service is a routing key and who uses it.
type Service struct {
	RoutingKey string `json:"routingKey"`
	Listeners  int    `json:"listeners"`
	Connectors int    `json:"connectors"`
	Local      bool   `json:"local"` // this site has one of them

	Sites []ServiceSite `json:"sites"`
}

// ServiceSite is who uses a routing key on one site.
type ServiceSite struct {
	Site       string   `json:"site"`
	Listeners  []string `json:"listeners"`
	Connectors []string `json:"connectors"`
}

// CheckRequest asks whether an input is in effect and objects are as wanted.
type CheckRequest struct {
	Generation int64 `json:"generation"` // of the input
	Objects    []Ref `json:"objects"`    // those without a status are passed over
	Site       bool  `json:"site"`       // the Site, too
	Ready      bool  `json:"ready"`      // they work; otherwise the running router has them
}

// Check is the answer to a CheckRequest. That an input was refused is an error.
type Check struct {
	Done    bool   `json:"done"`
	Missing string `json:"missing"` // what is not so yet, in one line; "" when Done
}

// File is input under the name that messages use for it.
type File struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// ApplyRequest adds and changes resources.
type ApplyRequest struct {
	Files  []File `json:"files"`
	Prune  bool   `json:"prune"`  // delete what the files do not hold
	Create bool   `json:"create"` // refuse to change what exists
	Start  bool   `json:"start"`  // start a site that was never started
	Store  bool   `json:"store"`  // only write the input
	DryRun bool   `json:"dryRun"` // change nothing, return the plan

	Platform string `json:"platform"` // of a site that was never started, "" for the one chosen before
}

// DeleteRequest removes resources: those named, and those that the files hold.
type DeleteRequest struct {
	Objects []Ref  `json:"objects"`
	Files   []File `json:"files"`
	All     bool   `json:"all"`     // everything in the input
	Missing bool   `json:"missing"` // what is not there is an error
	Revoke  bool   `json:"revoke"`  // what was handed out through the AccessGrants named is not renewed any more
	Store   bool   `json:"store"`
	DryRun  bool   `json:"dryRun"`
}

// PatchRequest changes fields of a resource in the input.
type PatchRequest struct {
	Object Ref            `json:"object"`
	Fields map[string]any `json:"fields"` // by path, as "spec.port"; null removes the field
	Store  bool           `json:"store"`
	DryRun bool           `json:"dryRun"`
}

// Ref names a resource.
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Operation is what can be done with a site as a whole.
type Operation string

// The operations.
const (
	Start    Operation = "start"
	Stop     Operation = "stop"
	Reload   Operation = "reload"
	Restart  Operation = "restart"
	Teardown Operation = "teardown"
	Migrate  Operation = "migrate"
)

// OperateRequest does something with a site as a whole.
type OperateRequest struct {
	Operation Operation `json:"operation"`
	DryRun    bool      `json:"dryRun"`
	KeepInput bool      `json:"keepInput"` // teardown: keep input/
	Purge     bool      `json:"purge"`     // teardown: make no archive
	Platform  string    `json:"platform"`  // start: the platform of a site that was never started, "" for the one chosen before; migrate: the new one
}

// Action is what happened to an object.
type Action string

// The actions.
const (
	Created    Action = "created"
	Configured Action = "configured"
	Unchanged  Action = "unchanged"
	Deleted    Action = "deleted"
)

// Change is what happened to one object.
type Change struct {
	Object string `json:"object"` // as "listener/db"
	Action Action `json:"action"`
	Before string `json:"before,omitempty"` // of a dry run: the document in the input, YAML without keys and codes
	After  string `json:"after,omitempty"`  // of a dry run: what it becomes
}

// Result is what a request did, or would do.
type Result struct {
	Changes  []Change `json:"changes"`
	Plan     []string `json:"plan"`    // steps, one a line
	Summary  string   `json:"summary"` // "adds 2, changes 1, removes 0, connections dropped: 3 (1 of other sites)"
	Warnings []string `json:"warnings"`
	Notes    []string `json:"notes"` // what the person should know, with what to do
	State    State    `json:"state"` // of the namespace afterwards
	Archive  string   `json:"archive,omitempty"`
	Started  bool     `json:"started"` // the site did not run before and does now

	// Generation is the one that holds the change; the change is in effect
	// when Status reports it or a later one.
	Generation int64 `json:"generation"`
}

// LinkRequest asks for a link file.
type LinkRequest struct {
	Access string `json:"access"` // RouterAccess; "" the first
	Host   string `json:"host"`   // "" the best known one
	Name   string `json:"name"`   // of Link and Secret; "" a new one
	Cost   int    `json:"cost"`

	// Credentials replaces the name of the Secret; without Generate no Secret
	// is made.
	Credentials string `json:"credentials"`
	Generate    bool   `json:"generate"`
}

// LinkFile is a Link and the Secret that it needs.
type LinkFile struct {
	Name     string   `json:"name"`
	Host     string   `json:"host"`
	Document []byte   `json:"document"` // YAML; holds a private key
	Warnings []string `json:"warnings"`
}

// RenewRequest asks for new certificates.
type RenewRequest struct {
	Names  []string `json:"names"` // none: all that the site renews itself
	DryRun bool     `json:"dryRun"`
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Name        string   `json:"name"`        // of the grant; "" a new one
	Grant       string   `json:"grant"`       // an existing grant to use
	Redemptions int      `json:"redemptions"` // how often it may be redeemed; 0: once
	Window      string   `json:"window"`      // how long, as "15m"; "" is that
	Hosts       []string `json:"hosts"`       // where others reach this host, the first in the URL; none: the best known one
	Cost        int      `json:"cost"`        // of the link; 0: the default
}

// TokenFile is a token.
type TokenFile struct {
	Name        string    `json:"name"`
	URL         string    `json:"url"`
	Expires     time.Time `json:"expires"`
	Redemptions int       `json:"redemptions"` // that are left
	Document    []byte    `json:"document"`    // YAML; holds a secret code
	Warnings    []string  `json:"warnings"`
}

// RedeemRequest exchanges a token.
type RedeemRequest struct {
	File File   `json:"file"`
	Name string `json:"name"` // of the link; "" the token's
	Cost int    `json:"cost"` // of the link; 0: what the token says
}
