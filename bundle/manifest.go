package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// format is the version of what a bundle holds. A program refuses later ones.
const format = 1

// manifestName is the member that describes the others.
const manifestName = "bundle.json"

// Bounds of what is read, bytes.
const (
	maxMember  = resource.MaxFile
	maxContent = 4 * resource.MaxFile // all members but the program
)

// Manifest says what a bundle is.
type Manifest struct {
	Format    int    `json:"format"`
	Site      string `json:"site"`
	Namespace string `json:"namespace"` // where it is installed unless somebody says otherwise
	Platform  string `json:"platform"`  // likewise
	Version   string `json:"version"`   // of the program that made it

	// Files has the SHA-256 of every other member, in hexadecimal.
	Files map[string]string `json:"files"`
}

// Bundle is a site on its way.
type Bundle struct {
	Manifest

	members map[string][]byte // by name, without the manifest
}

// Resources are the files of resources, by name, in order.
func (b *Bundle) Resources() []resource.Input {
	var list []resource.Input
	for _, name := range sortedNames(b.members) {
		if strings.HasPrefix(name, resourcesDir) {
			list = append(list, resource.Input{Name: path.Base(name), Data: b.members[name]})
		}
	}
	return list
}

// Material are the files that belong below input/, as "certs/db/tls.crt", but
// for the resources.
func (b *Bundle) Material() map[string][]byte {
	m := map[string][]byte{}
	for name, data := range b.members {
		if !strings.HasPrefix(name, resourcesDir) {
			m[strings.TrimPrefix(name, inputDir)] = data
		}
	}
	return m
}

// Where members are.
const (
	inputDir     = "input/"
	resourcesDir = inputDir + "resources/"
)

// memberName matches the names that members may have. They become paths on the
// host where the bundle is installed.
var memberName = regexp.MustCompile(`^input/(resources/[A-Za-z]+-[a-z0-9][-.a-z0-9]*\.yaml` +
	`|(certs|issuers)/[A-Za-z0-9][-._A-Za-z0-9]*/(ca\.crt|tls\.crt|tls\.key)` +
	`|proxies/[A-Za-z0-9][-._A-Za-z0-9]*/(host|port|username|password\.txt))$`)

func sortedNames(members map[string][]byte) []string { return slices.Sorted(maps.Keys(members)) }

// Sum is the SHA-256 of data in hexadecimal.
func Sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// encode is the manifest as a member.
func (m Manifest) encode() []byte {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic("bundle: manifest: " + err.Error()) // it holds nothing that fails
	}
	return append(data, '\n')
}

// check compares the manifest with the members.
func (b *Bundle) check() error {
	if b.Format != format {
		return fmt.Errorf("its format is %d, this program knows %d", b.Format, format)
	}
	for _, name := range []struct{ field, reason string }{
		{"site", nameFault(b.Site)}, {"namespace", resource.CheckNamespace(b.Namespace)}, {"platform", nameFault(b.Platform)},
	} {
		if name.reason != "" {
			return fmt.Errorf("%s: %s: %s", manifestName, name.field, name.reason)
		}
	}
	for name := range b.Files {
		if _, ok := b.members[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range sortedNames(b.members) {
		if want, ok := b.Files[name]; !ok || want != Sum(b.members[name]) {
			return fmt.Errorf("%s is not what %s says", name, manifestName)
		}
	}
	return nil
}

var plainWord = regexp.MustCompile(`^[a-z0-9][-.a-z0-9]*$`)

// nameFault says why a word of the manifest is none; empty if it is one.
func nameFault(word string) string {
	if !plainWord.MatchString(word) {
		return fmt.Sprintf("%q is no name", word)
	}
	return ""
}
