package system

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
)

// The certificate that the network observer shows to others, where it is given
// none, and the authority that signs it. That is neither of a site, whose leaves
// would let the observer in as a router, nor made anew with each certificate:
// a browser that trusts it goes on doing so.
const (
	observerCA         = "skupper-network-observer-ca"
	observerCredential = "skupper-network-observer"
	observerCertDays   = 397
	observerCAYears    = 10
)

func observerAuthority() pki.Want {
	return pki.Want{Authority: true, Subject: observerCA, KeyType: pki.ECDSAP256, Validity: observerCAYears * 365 * 24 * time.Hour}
}

// observerCertificate is the certificate for the hosts at which the observer is
// reached: the one that it listens on or, if that is every address, all of this
// host; and the names that it is told of.
func observerCertificate(ctx context.Context, o ObserverOptions) pki.Want {
	names := slices.Clone(o.Hosts)
	facts := host.Look(ctx)
	name, _, _ := net.SplitHostPort(o.Listen) // it was checked
	if ip, err := netip.ParseAddr(name); name == "" || err == nil && ip.IsUnspecified() {
		names = append(names, facts.Hostname, facts.FQDN, "localhost")
		names = append(names, addresses(facts)...)
	} else {
		names = append(names, name, facts.Hostname, facts.FQDN)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	return pki.Want{Subject: observerCredential, Hosts: names, KeyType: pki.ECDSAP256, Validity: observerCertDays * 24 * time.Hour}
}

// observerCertificateDue reports whether certifyObserver would make another one.
func observerCertificateDue(ctx context.Context, paths layout.Paths, o ObserverOptions, now time.Time) bool {
	by, err := pki.ParseAuthority(readPair(paths.AgentIssuerDir(observerCA)))
	if err != nil {
		return true
	}
	return pki.Decide(observerCertificate(ctx, o), by, readPair(paths.ObserverCerts()), now).Reason != pki.Keep
}

// certifyObserver makes the certificate of the network observer, and what signs
// it, where they are not as wanted. The files belong to whom it runs as.
func certifyObserver(ctx context.Context, paths layout.Paths, o ObserverOptions, now time.Time) (made bool, err error) {
	if !observerCertificateDue(ctx, paths, o, now) {
		return false, nil
	}
	ca, err := keepPair(paths.AgentIssuerDir(observerCA), observerAuthority(), nil, now)
	if err != nil {
		return false, err
	}
	by, err := pki.ParseAuthority(ca)
	if err != nil {
		return false, err
	}
	if _, err := keepPair(paths.ObserverCerts(), observerCertificate(ctx, o), by, now); err != nil {
		return false, err
	}
	return true, ownObserverFiles(paths)
}

// observerCertificateFiles are all files that certifyObserver may change.
func observerCertificateFiles(paths layout.Paths) []string {
	var files []string
	for _, dir := range []string{paths.AgentIssuerDir(observerCA), paths.ObserverCerts()} {
		for _, name := range []string{pki.CAFile, pki.CertFile, pki.KeyFile} {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files
}

// removeObserverAuthority removes the authority, and the directories above it that
// have nothing else in them.
func removeObserverAuthority(paths layout.Paths) error {
	dir := paths.AgentIssuerDir(observerCA)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
