package resource

import "time"

// New makes an empty object of a kind with a name; nil for an unknown kind.
func New(kind Kind, name string) Object {
	m := Meta{Name: name}
	switch kind {
	case KindSite:
		return &Site{Meta: m}
	case KindListener:
		return &Listener{Meta: m}
	case KindConnector:
		return &Connector{Meta: m}
	case KindMultiKeyListener:
		return &MultiKeyListener{Meta: m}
	case KindRouterAccess:
		return &RouterAccess{Meta: m}
	case KindLink:
		return &Link{Meta: m}
	case KindAccessGrant:
		return &AccessGrant{Meta: m}
	case KindAccessToken:
		return &AccessToken{Meta: m}
	case KindCertificate:
		return &Certificate{Meta: m}
	case KindSecuredAccess:
		return &SecuredAccess{Meta: m}
	case KindSecret:
		return &Secret{Meta: m}
	case KindConfigMap:
		return &ConfigMap{Meta: m}
	}
	return nil
}

// Settings are options of a resource that have no field of their own.
type Settings map[string]string

// Site is the one description of a site.
type Site struct {
	Meta   `json:"metadata"`
	Spec   SiteSpec   `json:"spec"`
	Status SiteStatus `json:"status"`
}

// SiteSpec is what is wanted of a site.
type SiteSpec struct {
	LinkAccess     string   `json:"linkAccess"`
	Edge           bool     `json:"edge"`
	HA             bool     `json:"ha"`
	DefaultIssuer  string   `json:"defaultIssuer"`
	ServiceAccount string   `json:"serviceAccount"`
	Settings       Settings `json:"settings"`
}

// SiteStatus is how a site is.
type SiteStatus struct {
	Health         `json:",inline"`
	Endpoints      []Endpoint        `json:"endpoints"`
	SitesInNetwork int               `json:"sitesInNetwork"`
	Network        []SiteRecord      `json:"network"`
	DefaultIssuer  string            `json:"defaultIssuer"`
	Controller     *ControllerRecord `json:"controller"`
}

// Endpoint is where a router can be reached for one role.
type Endpoint struct {
	Name  string `json:"name"`
	Host  string `json:"host"`
	Port  string `json:"port"` // decimal
	Group string `json:"group"`
}

// SiteRecord is a site of the network, as seen from here.
type SiteRecord struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Namespace string          `json:"namespace"`
	Platform  string          `json:"platform"`
	Version   string          `json:"version"`
	Links     []LinkRecord    `json:"links"`
	Services  []ServiceRecord `json:"services"`
}

// LinkRecord is a link of a site of the network.
type LinkRecord struct {
	Name           string `json:"name"`
	RemoteSiteID   string `json:"remoteSiteId"`
	RemoteSiteName string `json:"remoteSiteName"`
	Operational    bool   `json:"operational"`
}

// ServiceRecord is a routing key that a site of the network uses.
type ServiceRecord struct {
	RoutingKey string   `json:"routingKey"`
	Connectors []string `json:"connectors"`
	Listeners  []string `json:"listeners"`
}

// ControllerRecord says which controller looks after a site.
type ControllerRecord struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   string `json:"version"`
}

// Listener accepts TCP connections of clients for a routing key.
type Listener struct {
	Meta   `json:"metadata"`
	Spec   ListenerSpec   `json:"spec"`
	Status ListenerStatus `json:"status"`
}

// ListenerSpec is what is wanted of a listener.
type ListenerSpec struct {
	RoutingKey       string   `json:"routingKey"`
	Host             string   `json:"host"`
	Port             int      `json:"port"`
	TLSCredentials   string   `json:"tlsCredentials"`
	Type             string   `json:"type"`
	Observer         string   `json:"observer"`
	ExposePodsByName bool     `json:"exposePodsByName"`
	Settings         Settings `json:"settings"`
}

// ListenerStatus is how a listener is.
type ListenerStatus struct {
	Health               `json:",inline"`
	HasMatchingConnector bool `json:"hasMatchingConnector"`
}

// Connector opens TCP connections to a server for a routing key.
type Connector struct {
	Meta   `json:"metadata"`
	Spec   ConnectorSpec   `json:"spec"`
	Status ConnectorStatus `json:"status"`
}

// ConnectorSpec is what is wanted of a connector.
type ConnectorSpec struct {
	RoutingKey          string   `json:"routingKey"`
	Host                string   `json:"host"`
	Port                int      `json:"port"`
	Selector            string   `json:"selector"`
	TLSCredentials      string   `json:"tlsCredentials"`
	UseClientCert       bool     `json:"useClientCert"`
	VerifyHostname      bool     `json:"verifyHostname"`
	Type                string   `json:"type"`
	ExposePodsByName    bool     `json:"exposePodsByName"`
	IncludeNotReadyPods bool     `json:"includeNotReadyPods"`
	Settings            Settings `json:"settings"`
}

// ConnectorStatus is how a connector is.
type ConnectorStatus struct {
	Health              `json:",inline"`
	HasMatchingListener bool        `json:"hasMatchingListener"`
	SelectedPods        []PodRecord `json:"selectedPods"`
}

// PodRecord is a pod that a connector selects on Kubernetes.
type PodRecord struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
	IP   string `json:"ip"`
}

// MultiKeyListener accepts connections for one of several routing keys.
type MultiKeyListener struct {
	Meta   `json:"metadata"`
	Spec   MultiKeyListenerSpec   `json:"spec"`
	Status MultiKeyListenerStatus `json:"status"`
}

// MultiKeyListenerSpec is what is wanted of a multi-key listener.
type MultiKeyListenerSpec struct {
	Host              string   `json:"host"`
	Port              int      `json:"port"`
	Strategy          Strategy `json:"strategy"`
	TLSCredentials    string   `json:"tlsCredentials"`
	RequireClientCert bool     `json:"requireClientCert"`
	Observer          string   `json:"observer"`
	Settings          Settings `json:"settings"`
}

// Strategy says how one of the routing keys is chosen: exactly one is set.
type Strategy struct {
	Priority *PriorityStrategy `json:"priority"`
	Weighted *WeightedStrategy `json:"weighted"`
}

// PriorityStrategy takes the first routing key that can be reached.
type PriorityStrategy struct {
	RoutingKeys []string `json:"routingKeys"`
}

// WeightedStrategy shares connections among the routing keys in reach.
type WeightedStrategy struct {
	RoutingKeys map[string]int `json:"routingKeys"`
}

// MultiKeyListenerStatus is how a multi-key listener is.
type MultiKeyListenerStatus struct {
	Health         `json:",inline"`
	HasDestination bool           `json:"hasDestination"`
	Strategy       StrategyStatus `json:"strategy"`
}

// StrategyStatus has the same member as the Strategy of the spec.
type StrategyStatus struct {
	Priority *PriorityStatus `json:"priority"`
	Weighted *WeightedStatus `json:"weighted"`
}

// PriorityStatus lists the routing keys in reach, the best first.
type PriorityStatus struct {
	RoutingKeysReachable []string `json:"routingKeysReachable"`
}

// WeightedStatus gives the routing keys in reach with their weight.
type WeightedStatus struct {
	RoutingKeysReachable map[string]int `json:"routingKeysReachable"`
}

// RouterAccess lets other sites link to this one.
type RouterAccess struct {
	Meta   `json:"metadata"`
	Spec   RouterAccessSpec   `json:"spec"`
	Status RouterAccessStatus `json:"status"`
}

// RouterAccessSpec is what is wanted of a router access.
type RouterAccessSpec struct {
	Roles                   []Role   `json:"roles"`
	TLSCredentials          string   `json:"tlsCredentials"`
	GenerateTLSCredentials  bool     `json:"generateTlsCredentials"`
	Issuer                  string   `json:"issuer"`
	BindHost                string   `json:"bindHost"`
	SubjectAlternativeNames []string `json:"subjectAlternativeNames"`
	AccessType              string   `json:"accessType"`
	Settings                Settings `json:"settings"`
}

// Role is one of the ports of a router access.
type Role struct {
	Name string `json:"name"`
	Port int    `json:"port"`
}

// RouterAccessStatus is how a router access is.
type RouterAccessStatus struct {
	Health    `json:",inline"`
	Endpoints []Endpoint `json:"endpoints"`
}

// Link connects this site to another one.
type Link struct {
	Meta   `json:"metadata"`
	Spec   LinkSpec   `json:"spec"`
	Status LinkStatus `json:"status"`
}

// LinkSpec is what is wanted of a link.
type LinkSpec struct {
	Endpoints      []Endpoint `json:"endpoints"`
	TLSCredentials string     `json:"tlsCredentials"`
	Cost           int        `json:"cost"`
	Settings       Settings   `json:"settings"`
}

// LinkStatus is how a link is.
type LinkStatus struct {
	Health         `json:",inline"`
	RemoteSiteID   string `json:"remoteSiteId"`
	RemoteSiteName string `json:"remoteSiteName"`
}

// AccessGrant is permission for other sites to get a link to this one.
type AccessGrant struct {
	Meta   `json:"metadata"`
	Spec   AccessGrantSpec   `json:"spec"`
	Status AccessGrantStatus `json:"status"`
}

// AccessGrantSpec is what is wanted of a grant.
type AccessGrantSpec struct {
	RedemptionsAllowed int      `json:"redemptionsAllowed"`
	ExpirationWindow   string   `json:"expirationWindow"`
	Code               string   `json:"code"`
	Issuer             string   `json:"issuer"`
	Settings           Settings `json:"settings"`
}

// AccessGrantStatus is how a grant is. It holds a secret: Code.
type AccessGrantStatus struct {
	Health         `json:",inline"`
	URL            string    `json:"url"`
	Code           string    `json:"code"`
	CA             string    `json:"ca"`
	Redemptions    int       `json:"redemptions"`
	ExpirationTime time.Time `json:"expirationTime"`
}

// AccessToken is exchanged for a link. It holds a secret: Code.
type AccessToken struct {
	Meta   `json:"metadata"`
	Spec   AccessTokenSpec   `json:"spec"`
	Status AccessTokenStatus `json:"status"`
}

// AccessTokenSpec is what a grant gave out.
type AccessTokenSpec struct {
	URL      string   `json:"url"`
	Code     string   `json:"code"`
	CA       string   `json:"ca"` // PEM
	LinkCost int      `json:"linkCost"`
	Settings Settings `json:"settings"`
}

// AccessTokenStatus is how a token is.
type AccessTokenStatus struct {
	Health   `json:",inline"`
	Redeemed bool `json:"redeemed"`
}

// Certificate asks for a key pair made by the site.
type Certificate struct {
	Meta   `json:"metadata"`
	Spec   CertificateSpec   `json:"spec"`
	Status CertificateStatus `json:"status"`
}

// CertificateSpec is what is wanted of a certificate.
type CertificateSpec struct {
	CA       string   `json:"ca"`
	Subject  string   `json:"subject"`
	Hosts    []string `json:"hosts"`
	Signing  bool     `json:"signing"`
	Server   bool     `json:"server"`
	Client   bool     `json:"client"`
	Settings Settings `json:"settings"`
}

// CertificateStatus is how a certificate is.
type CertificateStatus struct {
	Health     `json:",inline"`
	Expiration time.Time `json:"expiration"`
}

// SecuredAccess has no effect off Kubernetes.
type SecuredAccess struct {
	Meta   `json:"metadata"`
	Spec   SecuredAccessSpec   `json:"spec"`
	Status SecuredAccessStatus `json:"status"`
}

// SecuredAccessSpec is kept as it was given.
type SecuredAccessSpec struct {
	AccessType  string              `json:"accessType"`
	Selector    map[string]string   `json:"selector"`
	Ports       []SecuredAccessPort `json:"ports"`
	Certificate string              `json:"certificate"`
	Issuer      string              `json:"issuer"`
	Settings    Settings            `json:"settings"`
}

// SecuredAccessPort is a port of a SecuredAccess.
type SecuredAccessPort struct {
	Name       string `json:"name"`
	Port       int    `json:"port"`
	TargetPort int    `json:"targetPort"`
	Protocol   string `json:"protocol"`
}

// SecuredAccessStatus is kept as it was given.
type SecuredAccessStatus struct {
	Health    `json:",inline"`
	Endpoints []Endpoint `json:"endpoints"`
	CA        string     `json:"ca"`
}

// Keys of a Secret that holds TLS credentials.
const (
	CACert  = "ca.crt"
	TLSCert = "tls.crt"
	TLSKey  = "tls.key"
)

// SecretTypeTLS is the type of the Secrets we write; any is read.
const SecretTypeTLS = "kubernetes.io/tls"

// Secret holds credentials. Data is decoded from base64; stringData of a
// document is merged into it.
type Secret struct {
	Meta `json:"metadata"`
	Type string            `json:"type"`
	Data map[string][]byte `json:"data"`
}

// ConfigMap is kept as it was given.
type ConfigMap struct {
	Meta `json:"metadata"`
	Data map[string]string `json:"data"`
}

// Ref and Health implement Object for all kinds.
func (o *Site) Ref() Ref             { return Ref{KindSite, o.Name} }
func (o *Listener) Ref() Ref         { return Ref{KindListener, o.Name} }
func (o *Connector) Ref() Ref        { return Ref{KindConnector, o.Name} }
func (o *MultiKeyListener) Ref() Ref { return Ref{KindMultiKeyListener, o.Name} }
func (o *RouterAccess) Ref() Ref     { return Ref{KindRouterAccess, o.Name} }
func (o *Link) Ref() Ref             { return Ref{KindLink, o.Name} }
func (o *AccessGrant) Ref() Ref      { return Ref{KindAccessGrant, o.Name} }
func (o *AccessToken) Ref() Ref      { return Ref{KindAccessToken, o.Name} }
func (o *Certificate) Ref() Ref      { return Ref{KindCertificate, o.Name} }
func (o *SecuredAccess) Ref() Ref    { return Ref{KindSecuredAccess, o.Name} }
func (o *Secret) Ref() Ref           { return Ref{KindSecret, o.Name} }
func (o *ConfigMap) Ref() Ref        { return Ref{KindConfigMap, o.Name} }

func (o *Site) Health() *Health             { return &o.Status.Health }
func (o *Listener) Health() *Health         { return &o.Status.Health }
func (o *Connector) Health() *Health        { return &o.Status.Health }
func (o *MultiKeyListener) Health() *Health { return &o.Status.Health }
func (o *RouterAccess) Health() *Health     { return &o.Status.Health }
func (o *Link) Health() *Health             { return &o.Status.Health }
func (o *AccessGrant) Health() *Health      { return &o.Status.Health }
func (o *AccessToken) Health() *Health      { return &o.Status.Health }
func (o *Certificate) Health() *Health      { return &o.Status.Health }
func (o *SecuredAccess) Health() *Health    { return &o.Status.Health }
func (o *Secret) Health() *Health           { return nil }
func (o *ConfigMap) Health() *Health        { return nil }
