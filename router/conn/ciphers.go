package conn

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher suite of TLS 1.2 under the name that OpenSSL gives it.
type suite struct {
	name string
	id   uint16
}

// suites lists what crypto/tls has, the strongest first.
func suites() []suite {
	return []suite{
		{"ECDHE-ECDSA-AES256-GCM-SHA384", tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
		{"ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
		{"ECDHE-ECDSA-CHACHA20-POLY1305", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
		{"ECDHE-RSA-CHACHA20-POLY1305", tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{"ECDHE-RSA-AES128-GCM-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		{"ECDHE-ECDSA-AES256-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
		{"ECDHE-RSA-AES256-SHA", tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
		{"ECDHE-ECDSA-AES128-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
		{"ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
		{"AES256-GCM-SHA384", tls.TLS_RSA_WITH_AES_256_GCM_SHA384},
		{"AES128-GCM-SHA256", tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
		{"AES256-SHA", tls.TLS_RSA_WITH_AES_256_CBC_SHA},
		{"AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
}

// ParseCiphers reads a list of cipher suites in the notation of OpenSSL: names,
// classes such as HIGH or ECDHE+AESGCM, and exclusions with ! or -. It returns
// those of TLS 1.2; the ones of TLS 1.3 are not configurable. An empty text is
// nil: the defaults. It is an error if nothing remains.
func ParseCiphers(text string) ([]uint16, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var chosen, banned []suite
	modern := false // a suite of TLS 1.3 was named
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(":, ;", r) }) {
		switch name := strings.TrimLeft(token, "!-+"); {
		case token[0] == '@':
		case token[0] == '!':
			banned = append(banned, matching(name)...)
			fallthrough
		case token[0] == '-':
			chosen = without(chosen, matching(name))
		case strings.HasPrefix(name, "TLS_") && cipher13(name):
			modern = true
		default:
			chosen = append(chosen, without(matching(name), chosen)...)
		}
	}
	chosen = without(chosen, banned)
	if len(chosen) == 0 && !modern {
		return nil, fmt.Errorf("%q names no cipher suite that there is", text)
	}
	ids := make([]uint16, 0, len(chosen))
	for _, s := range chosen {
		ids = append(ids, s.id)
	}
	return ids, nil
}

func cipher13(name string) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name && s.ID>>8 == 0x13 })
}

// matching returns the suites that a name or class stands for.
func matching(name string) (list []suite) {
	for _, s := range suites() {
		all := true
		for _, part := range strings.Split(name, "+") {
			all = all && s.is(part)
		}
		if all {
			list = append(list, s)
		}
	}
	return list
}

// is reports whether a suite has a name or belongs to a class.
func (s suite) is(class string) bool {
	if class == s.name || class == tls.CipherSuiteName(s.id) {
		return true
	}
	ephemeral := strings.HasPrefix(s.name, "ECDHE-")
	switch class {
	case "ALL", "DEFAULT", "HIGH", "COMPLEMENTOFDEFAULT", "FIPS":
		return true
	case "ECDHE", "EECDH", "kECDHE", "kEECDH":
		return ephemeral
	case "RSA", "kRSA":
		return !ephemeral
	case "aRSA":
		return !strings.Contains(s.name, "ECDSA")
	case "ECDSA", "aECDSA":
		return strings.Contains(s.name, "ECDSA")
	case "AESGCM":
		return strings.Contains(s.name, "GCM")
	case "AES":
		return strings.Contains(s.name, "AES")
	case "AES128", "AES256":
		return strings.Contains(s.name, class)
	case "CHACHA20":
		return strings.Contains(s.name, "CHACHA20")
	case "SHA", "SHA1":
		return strings.HasSuffix(s.name, "-SHA")
	case "SHA256", "SHA384":
		return strings.HasSuffix(s.name, class)
	case "TLSv1.2":
		return !strings.HasSuffix(s.name, "-SHA")
	}
	return false
}

func without(list, less []suite) []suite {
	return slices.DeleteFunc(slices.Clone(list), func(s suite) bool { return slices.Contains(less, s) })
}
