package state

// Subjects: what a file belongs to, in words for people. Whoever renders a file
// and whoever observes one use the same words.
const (
	SubjectConfig    = "router configuration"
	SubjectUnit      = "unit file"
	SubjectResources = "resources"
	SubjectSnapshot  = "snapshot of the input"
	SubjectMemory    = "records of the namespace"
)

// Certificate is the subject of a credential's files.
func Certificate(name string) string { return "certificate " + name }

// Authority is the subject of an authority's files.
func Authority(name string) string { return "authority " + name }

// LinkFile is the subject of a link file for other sites.
func LinkFile(file string) string { return "link file " + file }

// Proxy is the subject of a proxy's files.
func Proxy(name string) string { return "proxy " + name }
