package resource

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Limits on names, in bytes.
const (
	maxLabel      = 63  // RFC 1123 §2.1
	maxName       = 253 // RFC 1123 §2.1, Kubernetes
	maxRoutingKey = 256
)

// CheckName says why name cannot name a resource or a namespace; empty if it
// can. The rule is that of an RFC 1123 label.
func CheckName(name string) (reason string) {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxLabel:
		return fmt.Sprintf("it has %d characters, %d are allowed", len(name), maxLabel)
	case !isLabel(name):
		return "only lower-case letters, digits and - are allowed, - neither first nor last"
	}
	return ""
}

// CheckCredential is CheckName for the names of credentials and secrets, which
// may have several labels, separated by dots.
func CheckCredential(name string) (reason string) {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxName:
		return fmt.Sprintf("it has %d characters, %d are allowed", len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return "only lower-case letters, digits, - and . are allowed, and a letter or digit at each end"
		}
	}
	return ""
}

// CheckNamespace says why name cannot name a new namespace; empty if it can.
// Two names are refused because their unit would be one of the program's own.
func CheckNamespace(name string) (reason string) {
	if name == "controller" || name == "network-observer" {
		return "the unit skupper-" + name + ".service is used otherwise"
	}
	return CheckName(name)
}

// CheckRoutingKey says why key cannot be a routing key; empty if it can.
func CheckRoutingKey(key string) (reason string) {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > maxRoutingKey:
		return fmt.Sprintf("it has %d bytes, %d are allowed", len(key), maxRoutingKey)
	case key[0] == '_' || key[0] == '$':
		return "names that begin with _ or $ belong to the router"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "it has a control character"
	}
	return ""
}

// CheckHost gives the form in which a host is used, or says why it is none. A
// host is an IP address or a name; names are turned to lower case.
func CheckHost(host string) (clean, reason string) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is4In6() {
			return addr.Unmap().String(), ""
		}
		return addr.String(), ""
	}
	clean = strings.ToLower(host)
	if len(clean) > maxName {
		return "", fmt.Sprintf("it has %d characters, %d are allowed", len(clean), maxName)
	}
	for label := range strings.SplitSeq(clean, ".") {
		if !isLabel(label) || len(label) > maxLabel {
			return "", "a valid IP address or hostname is expected"
		}
	}
	return clean, ""
}

// CheckPort gives the number of a port, or says why it is none.
func CheckPort(port string) (n int, reason string) {
	n, err := strconv.Atoi(port)
	if err != nil || strconv.Itoa(n) != port {
		return 0, fmt.Sprintf("a port number is expected, got %q", port)
	}
	return n, checkRange(n, minPort, maxPort)
}

// The range of port numbers.
const (
	minPort = 1
	maxPort = 65535
)

func checkRange(n, low, high int) (reason string) {
	switch {
	case n >= low && (high == 0 || n <= high):
		return ""
	case high == 0:
		return fmt.Sprintf("%d is too small, at least %d is expected", n, low)
	}
	return fmt.Sprintf("%d is out of range %d..%d", n, low, high)
}

func isLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// A rule gives the form in which a text of a field is used, or says why the
// text is refused. The kind is for the message.
type rule func(kind Kind, text string) (clean, reason string)

func nameRule(kind Kind, text string) (string, string) {
	return text, because("invalid "+strings.ToLower(string(kind))+" name", text, CheckName(text))
}

func credentialRule(_ Kind, text string) (string, string) {
	return text, because("invalid name", text, CheckCredential(text))
}

func namespaceRule(_ Kind, text string) (string, string) {
	return text, because("invalid namespace", text, CheckName(text))
}

func routingKeyRule(_ Kind, text string) (string, string) {
	return text, because("invalid routing key", text, CheckRoutingKey(text))
}

func hostRule(_ Kind, text string) (string, string) {
	clean, reason := CheckHost(text)
	return clean, because("invalid host", text, reason)
}

// hostListRule is hostRule for the names of certificates. Upstream trims
// blanks, and a wildcard is good in a certificate.
func hostListRule(kind Kind, text string) (string, string) {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "*."); ok {
		clean, reason := hostRule(kind, rest)
		return "*." + clean, reason
	}
	return hostRule(kind, text)
}

func portRule(_ Kind, text string) (string, string) {
	_, reason := CheckPort(text)
	return text, reason
}

func typeRule(_ Kind, text string) (string, string) {
	if text != "tcp" {
		return text, fmt.Sprintf("type %s not supported, only tcp is", text)
	}
	return text, ""
}

func durationRule(_ Kind, text string) (string, string) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return text, fmt.Sprintf("invalid duration %q: a number with a unit is expected, such as 15m or 24h", text)
	case d <= 0:
		return text, fmt.Sprintf("invalid duration %q: it must be positive", text)
	}
	return text, ""
}

func httpsRule(_ Kind, text string) (string, string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return text, "a URL that begins with https:// is expected"
	}
	return text, ""
}

func because(what, text, reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf("%s %q: %s", what, text, reason)
}
