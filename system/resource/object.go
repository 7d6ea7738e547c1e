package resource

import (
	"cmp"
	"strings"

	"gopkg.in/yaml.v3"
)

// APIVersion is that of all kinds but Secret and ConfigMap.
const APIVersion = "skupper.io/v2alpha1"

// CoreVersion is the API version of Secret and ConfigMap.
const CoreVersion = "v1"

// Kind is the name of a kind, as in a document.
type Kind string

// The kinds that are loaded.
const (
	KindSite             Kind = "Site"
	KindListener         Kind = "Listener"
	KindConnector        Kind = "Connector"
	KindMultiKeyListener Kind = "MultiKeyListener"
	KindRouterAccess     Kind = "RouterAccess"
	KindLink             Kind = "Link"
	KindAccessGrant      Kind = "AccessGrant"
	KindAccessToken      Kind = "AccessToken"
	KindCertificate      Kind = "Certificate"
	KindSecuredAccess    Kind = "SecuredAccess"
	KindSecret           Kind = "Secret"
	KindConfigMap        Kind = "ConfigMap"
)

// Kinds returns all loaded kinds, in the order in which they are applied.
func Kinds() []Kind {
	return []Kind{
		KindSite, KindConnector, KindListener, KindMultiKeyListener, KindLink, KindRouterAccess,
		KindAccessGrant, KindAccessToken, KindSecret, KindSecuredAccess, KindCertificate, KindConfigMap,
	}
}

// APIVersion is the API version that documents of the kind carry.
func (k Kind) APIVersion() string {
	if k == KindSecret || k == KindConfigMap {
		return CoreVersion
	}
	return APIVersion
}

// KindNamed finds a kind by its name in any case, plural or not: "listeners".
func KindNamed(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if strings.EqualFold(name, string(k)) || strings.EqualFold(name, k.plural()) {
			return k, true
		}
	}
	return "", false
}

func (k Kind) plural() string {
	if strings.HasSuffix(string(k), "s") {
		return string(k) + "es"
	}
	return string(k) + "s"
}

// Ref names an object of a namespace. Its text is kubectl's: "listener/db".
type Ref struct {
	Kind Kind
	Name string
}

func (r Ref) String() string {
	if r == (Ref{}) {
		return ""
	}
	return strings.ToLower(string(r.Kind)) + "/" + r.Name
}

// Compare orders by kind, then name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Name, o.Name))
}

// Object is one of the kinds: *Site, *Listener and so on.
type Object interface {
	// Ref names the object.
	Ref() Ref
	// Head gives its metadata, to be read and changed.
	Head() *Meta
	// Health gives the part of the status that all kinds share; nil for Secret
	// and ConfigMap, which have no status.
	Health() *Health
}

// Meta is what all objects carry, and where this one came from.
type Meta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`

	// Source is where the object was read; zero when it was made by the
	// program.
	Source Source `json:"-"`

	node *yaml.Node // as read; nil when made
}

// Source is a place in the input.
type Source struct {
	File string // as in Input
	Line int    // of the document's first line of content, from 1
	Doc  int    // number of the document in its file, from 1
}

// Head implements Object for all kinds.
func (m *Meta) Head() *Meta { return m }

// Health is the part of the status that all kinds share.
type Health struct {
	Status     string      `json:"status"`  // one of the Status constants
	Message    string      `json:"message"` // OK when Ready, otherwise why not
	Conditions []Condition `json:"conditions"`
}
