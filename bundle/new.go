package bundle

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// Content is what a bundle is made of.
type Content struct {
	Set *resource.Set

	// What a person supplies beside resources, by directory, then by file, as
	// below input/certs, input/issuers and input/proxies.
	Certs, Issuers, Proxies map[string]map[string][]byte
}

// Options say how a bundle is made.
type Options struct {
	Namespace string // of the installed site, unless the installation says otherwise
	Platform  string // likewise
	Version   string // of this program

	// Keys has private keys of links and services come along, CAKeys those of
	// certificate authorities. Whoever reads the bundle has them then.
	Keys, CAKeys bool
}

// New makes a bundle of resources that form a valid site. The error joins a
// *resource.FieldError for each problem, private keys among them.
func New(c Content, o Options) (*Bundle, []resource.Warning, error) {
	set := c.Set.Clone()
	built, warnings, err := site.Build(set, site.Context{
		Namespace: o.Namespace, AnyNamespace: true,
		Certs: fileNames(c.Certs), Issuers: fileNames(c.Issuers), Proxies: fileNames(c.Proxies),
	})
	p := &packer{options: o, members: map[string][]byte{}, warnings: warnings, problems: resource.Problems(err)}
	if err != nil && len(p.problems) == 0 {
		return nil, warnings, err
	}
	p.material("certs", c.Certs, credentialFiles())
	p.material("issuers", c.Issuers, credentialFiles())
	p.material("proxies", c.Proxies, []string{"host", "password.txt", "port", "username"})
	for object := range set.All() {
		p.object(object)
	}
	resource.SortWarnings(p.warnings)
	if err := resource.JoinErrors(p.problems); err != nil {
		return nil, p.warnings, err
	}
	b := &Bundle{
		Manifest: Manifest{
			Format: format, Site: built.Name, Namespace: o.Namespace, Platform: o.Platform, Version: o.Version, Files: map[string]string{},
		},
		members: p.members,
	}
	for name, data := range p.members {
		b.Files[name] = Sum(data)
	}
	return b, p.warnings, nil
}

func credentialFiles() []string { return []string{resource.CACert, resource.TLSCert, resource.TLSKey} }

func fileNames(m map[string]map[string][]byte) map[string][]string {
	names := make(map[string][]string, len(m))
	for dir, files := range m {
		names[dir] = slices.Sorted(maps.Keys(files))
	}
	return names
}

// packer is a bundle in the making.
type packer struct {
	options  Options
	members  map[string][]byte
	warnings []resource.Warning
	problems []*resource.FieldError
}

// object adds a resource, without what one installation has and another must
// not: its id, its status, its namespace.
func (p *packer) object(o resource.Object) {
	o = resource.WithoutStatus(o)
	o.Head().UID, o.Head().Namespace = "", ""
	text := resource.EncodeYAML(o)
	switch o := o.(type) {
	case *resource.Secret:
		for _, name := range slices.Sorted(maps.Keys(o.Data)) {
			if name == resource.TLSKey && len(o.Data[name]) > 0 || isPrivateKey(o.Data[name]) {
				p.refuse(resource.Problem(o, "data."+name, "a private key"), authority(o.Data[resource.TLSCert]))
			}
		}
	case *resource.ConfigMap:
		for _, name := range slices.Sorted(maps.Keys(o.Data)) {
			if isPrivateKey([]byte(o.Data[name])) {
				p.refuse(resource.Problem(o, "data."+name, "a private key"), false)
			}
		}
	default:
		if isPrivateKey(text) {
			p.refuse(resource.Problem(o, "", "it holds a private key"), false)
		}
	}
	p.members[resourcesDir+string(o.Ref().Kind)+"-"+o.Head().Name+".yaml"] = text
}

// material adds files of certificates or proxies.
func (p *packer) material(kind string, dirs map[string]map[string][]byte, known []string) {
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		files := dirs[dir]
		for _, name := range slices.Sorted(maps.Keys(files)) {
			member := inputDir + kind + "/" + dir + "/" + name
			if !slices.Contains(known, name) || !memberName.MatchString(member) {
				p.warnings = append(p.warnings, resource.Warning{File: member, Reason: "left out: bundles carry " + fmt.Sprint(known) + " of such a directory"})
				continue
			}
			if name == resource.TLSKey || isPrivateKey(files[name]) {
				p.refuse(&resource.FieldError{File: member, Reason: "a private key"}, kind == "issuers" || authority(files[resource.TLSCert]))
			}
			p.members[member] = files[name]
		}
	}
}

// refuse records a private key as a problem unless it is wanted.
func (p *packer) refuse(e *resource.FieldError, ca bool) {
	switch {
	case ca && p.options.CAKeys, !ca && p.options.Keys:
		return
	case ca:
		e.Reason += " of a certificate authority: whoever has the bundle could sign with it"
		e.Advice = "leave it out, so that each installation makes its own; --include-ca-key carries it"
	default:
		e.Reason += ": every installation would have the same one"
		e.Advice = "for a link put a token in its place (`skupper token issue`); --include-keys carries it"
	}
	p.problems = append(p.problems, e)
}

// isPrivateKey reports whether some private key is in data, in any usual form.
func isPrivateKey(data []byte) bool {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return true
	}
	if _, err := x509.ParsePKCS8PrivateKey(data); err == nil {
		return true
	}
	if _, err := x509.ParseECPrivateKey(data); err == nil {
		return true
	}
	_, err := x509.ParsePKCS1PrivateKey(data)
	return err == nil
}

// authority reports whether a PEM text is the certificate of an authority.
func authority(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	return err == nil && c.IsCA
}
