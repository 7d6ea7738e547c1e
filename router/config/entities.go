package config

// Config is everything one router is told. The slices are in the order of the
// file; Encode sorts a copy.
type Config struct {
	Router            Router
	Network           Network
	Policy            Policy
	Site              *Site // nil when there is none
	SSLProfiles       []SSLProfile
	ProxyProfiles     []ProxyProfile
	Connectors        []Connector
	Listeners         []Listener
	Addresses         []Address
	AutoLinks         []AutoLink
	TCPConnectors     []TCPConnector
	TCPListeners      []TCPListener
	ListenerAddresses []ListenerAddress
	Logs              []Log
	Vhosts            []Vhost
}

// New returns the configuration of an empty file: a standalone router without
// any listener.
func New() *Config {
	return &Config{Router: NewRouter(), Network: NewNetwork(), Policy: NewPolicy()}
}

// Router modes.
const (
	ModeStandalone = "standalone"
	ModeInterior   = "interior"
	ModeEdge       = "edge"
)

// Roles of listeners and connectors.
const (
	RoleNormal         = "normal"
	RoleInterRouter    = "inter-router"
	RoleRouteContainer = "route-container"
	RoleEdge           = "edge"
	RoleInterEdge      = "inter-edge"
	RoleInterNetwork   = "inter-network"
)

// Distributions of an address.
const (
	DistributionMulticast   = "multicast"
	DistributionClosest     = "closest"
	DistributionBalanced    = "balanced"
	DistributionUnavailable = "unavailable"
)

// Values of stripAnnotations: from which direction of clients' messages the
// router annotations are removed.
const (
	StripIn   = "in"
	StripOut  = "out"
	StripBoth = "both"
	StripNo   = "no"
)

// Strategies of a tcpListener with several addresses.
const (
	StrategyNone     = "none"
	StrategyPriority = "priority"
	StrategyWeighted = "weighted"
)

// Observers of a tcpListener.
const (
	ObserverNone  = "none"
	ObserverAuto  = "auto"
	ObserverHTTP1 = "http1"
	ObserverHTTP2 = "http2"
)

// The tag of a field names its attribute. Options: "always" writes it even if
// it has its default value; "text" writes an integer as decimal text and
// "number" decimal text as an integer, as upstream's controllers read and
// write them; "unset=N" is the value that stands for an absent attribute
// without default (0 if not given). The order of the fields is the order of
// the attributes in an encoded file.

// Router is the router itself. There is exactly one.
type Router struct {
	Name string `attr:"name"`
	Line int

	ID                        string `attr:"id"`
	Mode                      string `attr:"mode,always"`
	HelloMaxAgeSeconds        int64  `attr:"helloMaxAgeSeconds,always,text"`
	DataConnectionCount       string `attr:"dataConnectionCount"` // "auto" or a decimal number
	Metadata                  string `attr:"metadata"`            // {"id":site id,"version":…,"platform":…} or any text
	VanID                     string `attr:"vanId"`
	Area                      string `attr:"area"`
	HelloIntervalSeconds      int64  `attr:"helloIntervalSeconds"`
	RAIntervalSeconds         int64  `attr:"raIntervalSeconds"`
	RAIntervalFluxSeconds     int64  `attr:"raIntervalFluxSeconds"`
	RemoteLSMaxAgeSeconds     int64  `attr:"remoteLsMaxAgeSeconds"`
	UnreachableHoldoffSeconds int64  `attr:"unreachableHoldoffSeconds"`
	WorkerThreads             int64  `attr:"workerThreads"`
	DebugDumpFile             string `attr:"debugDumpFile"`
	SASLConfigDir             string `attr:"saslConfigDir"`
	SASLConfigName            string `attr:"saslConfigName"`
	TimestampsInUTC           bool   `attr:"timestampsInUTC"`
	TimestampFormat           string `attr:"timestampFormat"`
	DefaultDistribution       string `attr:"defaultDistribution"`
	DropTCPConnections        bool   `attr:"dropTcpConnections"`
	DrainSeconds              int64  `attr:"drainSeconds"`
}

// Network holds what a router needs in inter-network communication.
type Network struct {
	Name string `attr:"name"`
	Line int

	NetworkID string `attr:"networkId"`
	TenantID  string `attr:"tenantId"` // prefixes every TCP address: <tenantId>/<address>
}

// Policy holds the limits on client connections of the whole router.
type Policy struct {
	Name string `attr:"name"`
	Line int

	MaxConnections          int64  `attr:"maxConnections"`
	MaxMessageSize          int64  `attr:"maxMessageSize"` // bytes, 0 is unlimited
	EnableVhostPolicy       bool   `attr:"enableVhostPolicy"`
	EnableVhostNamePatterns bool   `attr:"enableVhostNamePatterns"`
	PolicyDir               string `attr:"policyDir"`
	DefaultVhost            string `attr:"defaultVhost"`
}

// Site makes the router publish a SITE record.
type Site struct {
	Name string `attr:"name"`
	Line int

	Location  string `attr:"location"`
	Provider  string `attr:"provider"`
	Platform  string `attr:"platform"`
	Namespace string `attr:"namespace"`
	Version   string `attr:"version"`
}

// SSLProfile is a set of TLS credentials that listeners and connectors name.
type SSLProfile struct {
	Name string `attr:"name"`
	Line int

	CertFile           string `attr:"certFile"`
	PrivateKeyFile     string `attr:"privateKeyFile"`
	CACertFile         string `attr:"caCertFile"`
	Ordinal            int64  `attr:"ordinal"`
	OldestValidOrdinal int64  `attr:"oldestValidOrdinal"`
	Ciphers            string `attr:"ciphers"`
	Protocols          string `attr:"protocols"`
	Password           string `attr:"password"` // env:VAR, file:PATH, pass:TEXT, literal:TEXT or TEXT
	UIDFormat          string `attr:"uidFormat"`
	UIDNameMappingFile string `attr:"uidNameMappingFile"`
}

// ProxyProfile is an HTTP CONNECT proxy that connectors name.
type ProxyProfile struct {
	Name string `attr:"name"`
	Line int

	Host     string `attr:"host"`
	Port     string `attr:"port"`
	Username string `attr:"username"`
	Password string `attr:"password"` // as SSLProfile.Password
}

// Connector dials AMQP connections.
type Connector struct {
	Name string `attr:"name"`
	Line int

	Role                     string         `attr:"role,always"`
	Host                     string         `attr:"host,always"`
	Port                     string         `attr:"port,always"`
	Cost                     int64          `attr:"cost"` // 0 is 1
	VerifyHostname           bool           `attr:"verifyHostname"`
	SSLProfile               string         `attr:"sslProfile"`
	ProxyProfile             string         `attr:"proxyProfile"`
	LinkCapacity             int64          `attr:"linkCapacity"`     // deliveries; 0 is the router's choice
	MaxFrameSize             int64          `attr:"maxFrameSize"`     // bytes; 0 is 16,384
	MaxSessionFrames         int64          `attr:"maxSessionFrames"` // 0 is the router's choice
	SASLMechanisms           string         `attr:"saslMechanisms"`
	SASLUsername             string         `attr:"saslUsername"`
	SASLPassword             string         `attr:"saslPassword"`       // as SSLProfile.Password
	MaxSessions              int64          `attr:"maxSessions"`        // 0 is 32,768
	IdleTimeoutSeconds       int64          `attr:"idleTimeoutSeconds"` // 0 is none
	SocketAddressFamily      string         `attr:"socketAddressFamily"`
	StripAnnotations         string         `attr:"stripAnnotations"`
	AllowRedirect            bool           `attr:"allowRedirect"`
	MessageLoggingComponents string         `attr:"messageLoggingComponents"`
	PolicyVhost              string         `attr:"policyVhost"`
	OpenProperties           map[string]any `attr:"openProperties"`
}

// Listener accepts AMQP connections.
type Listener struct {
	Name string `attr:"name"`
	Line int

	Role                           string         `attr:"role,always"`
	Host                           string         `attr:"host"` // "" is every address
	Port                           string         `attr:"port,always,number"`
	HTTP                           bool           `attr:"http"`
	Cost                           int64          `attr:"cost"` // 0 is 1
	SSLProfile                     string         `attr:"sslProfile"`
	SASLMechanisms                 string         `attr:"saslMechanisms"`
	AuthenticatePeer               bool           `attr:"authenticatePeer"`
	LinkCapacity                   int64          `attr:"linkCapacity"` // deliveries; 0 is the router's choice
	HTTPRootDir                    string         `attr:"httpRootDir"`
	Websockets                     bool           `attr:"websockets"`
	Healthz                        bool           `attr:"healthz"`
	Metrics                        bool           `attr:"metrics"`
	MaxFrameSize                   int64          `attr:"maxFrameSize"`     // bytes; 0 is 16,384
	MaxSessionFrames               int64          `attr:"maxSessionFrames"` // 0 is the router's choice
	RequireEncryption              bool           `attr:"requireEncryption"`
	RequireSSL                     bool           `attr:"requireSsl"`
	MaxSessions                    int64          `attr:"maxSessions"`                    // 0 is 32,768
	IdleTimeoutSeconds             int64          `attr:"idleTimeoutSeconds"`             // 0 is none
	InitialHandshakeTimeoutSeconds int64          `attr:"initialHandshakeTimeoutSeconds"` // 0 is the router's choice
	SocketAddressFamily            string         `attr:"socketAddressFamily"`
	StripAnnotations               string         `attr:"stripAnnotations"`
	FailoverURLs                   string         `attr:"failoverUrls"`
	MessageLoggingComponents       string         `attr:"messageLoggingComponents"`
	PolicyVhost                    string         `attr:"policyVhost"`
	OpenProperties                 map[string]any `attr:"openProperties"`
}

// Address sets the distribution of the addresses below a prefix or matching a
// pattern.
type Address struct {
	Name string `attr:"name"`
	Line int

	Prefix       string `attr:"prefix"`
	Pattern      string `attr:"pattern"`
	Distribution string `attr:"distribution"`
	Priority     int64  `attr:"priority,unset=-1"` // 0 to 9, -1 is none
}

// AutoLink is a link that the router attaches by itself.
type AutoLink struct {
	Name string `attr:"name"`
	Line int

	Address         string `attr:"address"`
	Direction       string `attr:"direction"` // "in" or "out", seen from the router
	ContainerID     string `attr:"containerId"`
	Connection      string `attr:"connection"` // name of a listener or connector
	ExternalAddress string `attr:"externalAddress"`
}

// TCPConnector serves the streams of an address by dialing a TCP server.
type TCPConnector struct {
	Name string `attr:"name"`
	Line int

	Host           string `attr:"host"`
	Port           string `attr:"port"`
	Address        string `attr:"address"`
	SiteID         string `attr:"siteId"`
	SSLProfile     string `attr:"sslProfile"`
	VerifyHostname bool   `attr:"verifyHostname"`
	ProcessID      string `attr:"processId"`
}

// TCPListener accepts TCP connections and sends them to an address.
type TCPListener struct {
	Name string `attr:"name"`
	Line int

	Host                 string `attr:"host"` // "" is every address
	Port                 string `attr:"port"`
	Address              string `attr:"address"`
	SiteID               string `attr:"siteId"`
	SSLProfile           string `attr:"sslProfile"`
	Observer             string `attr:"observer"`
	MultiAddressStrategy string `attr:"multiAddressStrategy"`
	AuthenticatePeer     bool   `attr:"authenticatePeer"`
	Backlog              int64  `attr:"backlog"` // 0 is the largest the system allows
}

// ListenerAddress is one of the addresses of a TCPListener with a strategy.
type ListenerAddress struct {
	Name string `attr:"name"`
	Line int

	Address  string `attr:"address"`
	Value    int64  `attr:"value,always"`
	Listener string `attr:"listener"`
}

// Log sets what one module logs and where.
type Log struct {
	Name string `attr:"name"`
	Line int

	Module           string `attr:"module,always"`
	Enable           string `attr:"enable"`           // "" is as module DEFAULT, none is nothing
	IncludeTimestamp *bool  `attr:"includeTimestamp"` // nil: as module DEFAULT
	IncludeSource    *bool  `attr:"includeSource"`    // nil: as module DEFAULT
	OutputFile       string `attr:"outputFile"`
}

// Vhost is the policy for the clients of one virtual host.
type Vhost struct {
	Name string `attr:"name"`
	Line int

	Hostname              string         `attr:"hostname"`
	Aliases               string         `attr:"aliases"`
	MaxConnections        int64          `attr:"maxConnections"`
	MaxMessageSize        int64          `attr:"maxMessageSize"` // bytes, 0 is as Policy
	MaxConnectionsPerUser int64          `attr:"maxConnectionsPerUser"`
	MaxConnectionsPerHost int64          `attr:"maxConnectionsPerHost"`
	AllowUnknownUser      bool           `attr:"allowUnknownUser"`
	Groups                map[string]any `attr:"groups"` // group name → attributes of vhostUserGroupSettings
}

// NewRouter returns a Router with the defaults.
func NewRouter() Router { return fresh[Router]() }

// NewNetwork returns a Network with the defaults.
func NewNetwork() Network { return fresh[Network]() }

// NewPolicy returns a Policy with the defaults.
func NewPolicy() Policy { return fresh[Policy]() }

// NewSite returns a Site with the defaults.
func NewSite() Site { return fresh[Site]() }

// NewSSLProfile returns an SSLProfile with the defaults.
func NewSSLProfile() SSLProfile { return fresh[SSLProfile]() }

// NewProxyProfile returns a ProxyProfile with the defaults.
func NewProxyProfile() ProxyProfile { return fresh[ProxyProfile]() }

// NewConnector returns a Connector with the defaults.
func NewConnector() Connector { return fresh[Connector]() }

// NewListener returns a Listener with the defaults.
func NewListener() Listener { return fresh[Listener]() }

// NewAddress returns an Address with the defaults.
func NewAddress() Address { return fresh[Address]() }

// NewAutoLink returns an AutoLink with the defaults.
func NewAutoLink() AutoLink { return fresh[AutoLink]() }

// NewTCPConnector returns a TCPConnector with the defaults.
func NewTCPConnector() TCPConnector { return fresh[TCPConnector]() }

// NewTCPListener returns a TCPListener with the defaults.
func NewTCPListener() TCPListener { return fresh[TCPListener]() }

// NewListenerAddress returns a ListenerAddress with the defaults.
func NewListenerAddress() ListenerAddress { return fresh[ListenerAddress]() }

// NewLog returns a Log with the defaults.
func NewLog() Log { return fresh[Log]() }

// NewVhost returns a Vhost with the defaults.
func NewVhost() Vhost { return fresh[Vhost]() }
