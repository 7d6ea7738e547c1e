package render

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// CredentialError is a problem of the material of one credential. It wraps an
// error of package pki, whose text begins with the file.
type CredentialError struct {
	Key  CredentialKey
	From string // "input/certs/x", "Secret x", "runtime/issuers/x"
	Err  error
}

func (e *CredentialError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Key, e.From, e.Err) }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }

// Hint says what a person can do, if that is known.
func (e *CredentialError) Hint() string {
	var h interface{ Hint() string }
	if errors.As(e.Err, &h) {
		return h.Hint()
	}
	if e.Key.Authority && strings.HasPrefix(e.From, "runtime/") {
		return "restore the files of the authority from a backup; removing its directory makes a new one, and breaks every link that the old one signed"
	}
	if strings.HasPrefix(e.From, "input/") || strings.HasPrefix(e.From, "Secret ") {
		return "put a certificate and its key there, in PEM"
	}
	return ""
}

// credentials makes or keeps what is wanted, authorities before what they sign.
func (r *renderer) credentials() error {
	authorities := make(map[string]*pki.Authority) // nil: in error
	var errs []error
	for _, c := range r.in.Site.Credentials {
		if by, known := authorities[c.Issuer]; known && by == nil && c.Origin == site.Generated {
			continue // for want of its authority, which is an error already
		}
		pair, err := r.credential(c, authorities)
		var by *pki.Authority
		if err == nil && c.Use == site.CA {
			if by, err = pki.ParseAuthority(pair); err != nil {
				err = &CredentialError{keyOf(c), r.from(c), err}
			}
		}
		if c.Use == site.CA {
			authorities[c.Name] = by
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.keep(c, pair)
	}
	r.retainIssuers()
	r.forgetIssues()
	return errors.Join(errs...)
}

func keyOf(c site.Credential) CredentialKey { return CredentialKey{c.Use == site.CA, c.Name} }

// dir is where the files of a credential are.
func (r *renderer) dir(k CredentialKey) string {
	if k.Authority {
		return r.in.Paths.IssuerDir(k.Name)
	}
	return r.in.Paths.CertDir(k.Name)
}

// from says in words where the material of a credential comes from.
func (r *renderer) from(c site.Credential) string {
	kind := "certs/"
	if c.Use == site.CA {
		kind = "issuers/"
	}
	switch c.Origin {
	case site.Directory:
		return "input/" + kind + c.Source
	case site.Secret:
		return "Secret " + c.Source
	case site.Generated:
	}
	return "runtime/" + kind + c.Name
}

// credential is the material of c: a person's, what is there, or a new one.
func (r *renderer) credential(c site.Credential, authorities map[string]*pki.Authority) (pki.Pair, error) {
	if c.Origin != site.Generated {
		pair := r.supplied(c)
		if err := check(c, pair); err != nil {
			return pki.Pair{}, &CredentialError{keyOf(c), r.from(c), err}
		}
		return pair, nil
	}
	by := authorities[c.Issuer]
	if by == nil && c.Issuer != "" {
		return pki.Pair{}, fmt.Errorf("%s: no authority %s", keyOf(c), c.Issuer)
	}
	if c.Use == site.Trust {
		if by == nil {
			return pki.Pair{}, fmt.Errorf("%s: no authority is to be trusted", keyOf(c))
		}
		return pki.Pair{CA: by.Trust()}, nil
	}
	return r.generated(c, by)
}

// supplied is a person's material in the form that the router reads.
func (r *renderer) supplied(c site.Credential) pki.Pair {
	var p pki.Pair
	switch {
	case c.Origin == site.Secret:
		p = PairOf(c.Secret)
	case c.Use == site.CA:
		p = r.in.Supplied.Issuers[c.Source]
	default:
		p = r.in.Supplied.Certs[c.Source]
	}
	if c.Use == site.Trust {
		return pki.Pair{CA: p.CA}
	}
	if c.Use == site.CA && len(p.CA) == 0 {
		p.CA = p.Cert
	}
	return p
}

// PairOf is the credential in a Secret.
func PairOf(s *resource.Secret) pki.Pair {
	if s == nil {
		return pki.Pair{}
	}
	return pki.Pair{CA: s.Data[resource.CACert], Cert: s.Data[resource.TLSCert], Key: s.Data[resource.TLSKey]}
}

func check(c site.Credential, p pki.Pair) error {
	var err error
	switch c.Use {
	case site.CA:
		_, err = pki.ParseAuthority(p)
	case site.Trust:
		_, err = pki.Trusted(p.CA)
	case site.Server, site.Client:
		_, err = pki.Load(p)
	}
	return err
}

// generated keeps what is there, or makes it. An authority is made once: a
// damaged one is an error, because a new one would break every link.
func (r *renderer) generated(c site.Credential, by *pki.Authority) (pki.Pair, error) {
	key, want := keyOf(c), r.want(c)
	have := r.onDisk(key)
	decision := pki.Decide(want, by, have, r.in.Now)
	if c.Use == site.CA && (len(have.Cert) > 0 || len(have.Key) > 0) {
		if decision.Reason == pki.Missing || decision.Reason == pki.Unreadable {
			return pki.Pair{}, &CredentialError{key, r.from(c), errors.New(decision.Detail)}
		}
		if len(have.CA) == 0 {
			have.CA = have.Cert
		}
		return have, nil
	}
	if decision.Reason == pki.Keep && slices.Contains(r.in.Renew, c.Name) {
		decision = pki.Decision{Reason: pki.Asked}
	}
	if decision.Reason == pki.Keep {
		if by != nil {
			have.CA = by.Trust()
		}
		return have, nil
	}
	pair, err := pki.Issue(want, by, r.in.Now, r.in.Random)
	if err != nil {
		return pki.Pair{}, &CredentialError{key, r.from(c), err}
	}
	info, err := pki.Describe(pair.Cert)
	if err != nil {
		return pki.Pair{}, &CredentialError{key, r.from(c), err}
	}
	r.record(key, decision, info)
	r.out.Issued = append(r.out.Issued, Issued{Key: key, Decision: decision, NotAfter: info.NotAfter})
	return pair, nil
}

func (r *renderer) want(c site.Credential) pki.Want {
	s := r.in.Site.Settings
	w := pki.Want{Authority: c.Use == site.CA, Subject: c.Subject, Hosts: c.Hosts, KeyType: pki.KeyType(s.KeyType), Validity: s.CertValidity}
	switch {
	case c.Use == site.CA:
		w.Validity = s.CAValidity
		w.Subject = cmp.Or(w.Subject, c.Name)
	case c.Handed:
		w.Validity = s.ClientValidity
	}
	return w
}

// onDisk is what the directory of a credential holds now.
func (r *renderer) onDisk(k CredentialKey) pki.Pair {
	dir := r.dir(k)
	data := func(name string) []byte { return r.in.Have.Files[filepath.Join(dir, name)].Data }
	return pki.Pair{CA: data(pki.CAFile), Cert: data(pki.CertFile), Key: data(pki.KeyFile)}
}

// issueKey is the key of Memory.Credentials.
func issueKey(k CredentialKey) string {
	if k.Authority {
		return "issuers/" + k.Name
	}
	return k.Name
}

// record remembers a new certificate. Its ordinal grows where an old one is
// replaced for good; a host that is added is an amendment, after which
// connections made before are as good as new ones.
func (r *renderer) record(k CredentialKey, d pki.Decision, info pki.Info) {
	old, had := r.in.Memory.Credentials[issueKey(k)]
	issue := state.Issue{Serial: info.Serial, NotAfter: info.NotAfter, Ordinal: old.Ordinal, Oldest: old.Oldest}
	if had && !k.Authority && d.Reason != pki.NameMissing && d.Reason != pki.Missing {
		issue.Ordinal++
		issue.Oldest = max(issue.Oldest, issue.Ordinal-int64(r.in.Site.Settings.PriorTLSRevisions))
	}
	r.in.Memory.Credentials[issueKey(k)] = issue
}

// forgetIssues drops the records of credentials that are not generated any
// more, and adds those of certificates that were there before records.
func (r *renderer) forgetIssues() {
	wanted := make(map[string]bool)
	for _, c := range r.in.Site.Credentials {
		key := keyOf(c)
		if c.Origin != site.Generated || c.Use == site.Trust {
			continue
		}
		wanted[issueKey(key)] = true
		if _, ok := r.in.Memory.Credentials[issueKey(key)]; ok {
			continue
		}
		if info, err := pki.Describe(r.out.Credentials[key].Cert); err == nil {
			r.in.Memory.Credentials[issueKey(key)] = state.Issue{Serial: info.Serial, NotAfter: info.NotAfter}
		}
	}
	for name := range r.in.Memory.Credentials {
		if !wanted[name] && !strings.HasPrefix(name, "issuers/") {
			delete(r.in.Memory.Credentials, name)
		}
	}
}

// keep puts the files of a credential into the State.
func (r *renderer) keep(c site.Credential, p pki.Pair) {
	key := keyOf(c)
	r.out.Credentials[key] = p
	r.putPair(key, p)
	if c.Connect {
		r.put(filepath.Join(r.dir(key), pki.ConnectFile), pki.Connect("127.0.0.1", r.localPort()), key.String(), false)
	}
}

func (r *renderer) putPair(key CredentialKey, p pki.Pair) {
	for _, f := range []struct {
		name   string
		data   []byte
		secret bool
	}{{pki.CAFile, p.CA, false}, {pki.CertFile, p.Cert, false}, {pki.KeyFile, p.Key, true}} {
		if len(f.data) > 0 {
			r.put(filepath.Join(r.dir(key), f.name), f.data, key.String(), f.secret)
		}
	}
}

// retainIssuers keeps authorities that nothing names any more: a resource that
// comes back finds its authority, and links that it signed stay good.
func (r *renderer) retainIssuers() {
	root := r.in.Paths.Issuers() + "/"
	for path, f := range r.in.Have.Files {
		rest, ok := strings.CutPrefix(path, root)
		name, file, nested := strings.Cut(rest, "/")
		if !ok || !nested || strings.Contains(file, "/") {
			continue
		}
		key := CredentialKey{Authority: true, Name: name}
		if _, wanted := r.out.Credentials[key]; !wanted {
			r.put(path, f.Data, key.String(), file == pki.KeyFile)
		}
	}
}

// localPort is the port for tools of this host.
func (r *renderer) localPort() int { return r.in.Site.Ports[site.LocalAccess] }

// port in the form of the documents that other sites read.
func portText(port int) string { return strconv.Itoa(port) }

// clientWant is the client certificate of a site that links to this one.
func clientWant(s site.Settings, subject string) pki.Want {
	return pki.Want{Subject: subject, KeyType: pki.KeyType(s.KeyType), Validity: s.ClientValidity}
}

// expiry is when the first certificate of a file ends; zero if it cannot be
// read.
func expiry(cert []byte) time.Time {
	info, err := pki.Describe(cert)
	if err != nil {
		return time.Time{}
	}
	return info.NotAfter
}
