package site

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// Defaults of Settings.
const (
	defaultPriorRevisions = 1
	defaultCertValidity   = 397 * 24 * time.Hour // what public authorities allow
	defaultClientValidity = 5 * 365 * 24 * time.Hour
	defaultCAValidity     = 10 * 365 * 24 * time.Hour
	defaultDrain          = 30 * time.Second
)

// settings reads the settings of the site.
func (b *builder) settings(spec *resource.Site) {
	s := &b.site.Settings
	*s = Settings{
		PriorTLSRevisions: defaultPriorRevisions,
		CertValidity:      defaultCertValidity,
		ClientValidity:    defaultClientValidity,
		CAValidity:        defaultCAValidity,
		LinkRenewal:       true,
		KeyType:           ECDSAP256,
		Drain:             defaultDrain,
	}
	for _, row := range []struct {
		key  string
		read func(string) (reason string)
	}{
		{resource.SettingLogging, func(v string) string { return readLogging(v, &s.Logging) }},
		{resource.SettingDataConnections, func(v string) string { return readCount(v, &s.DataConnections, "auto") }},
		{resource.SettingPriorRevisions, func(v string) string { return readCount(v, &s.PriorTLSRevisions, "") }},
		{resource.SettingCertValidity, func(v string) string { return readDuration(v, &s.CertValidity) }},
		{resource.SettingLinkCertValidity, func(v string) string { return readDuration(v, &s.ClientValidity) }},
		{resource.SettingLinkCertRenewal, func(v string) string { s.LinkRenewal = v == "true"; return "" }},
		{resource.SettingCAValidity, func(v string) string { return readDuration(v, &s.CAValidity) }},
		{resource.SettingKeyType, func(v string) string { s.KeyType = KeyType(v); return "" }},
		{resource.SettingGrantURL, func(v string) string { return readHostPort(v, &s.GrantURL) }},
		{resource.SettingDrain, func(v string) string {
			seconds := 0
			reason := readCount(v, &seconds, "")
			s.Drain = time.Duration(seconds) * time.Second
			return reason
		}},
	} {
		value, key := spec.Spec.Settings.Get(row.key)
		if key == "" {
			continue
		}
		if reason := row.read(value); reason != "" {
			b.fail(spec, "spec.settings."+key, reason)
		}
	}
}

// readCount reads a number that is not negative. The word, if there is one,
// stands for 0.
func readCount(v string, into *int, word string) (reason string) {
	n, err := strconv.Atoi(v)
	switch {
	case v == word && word != "":
		*into = 0
	case err != nil || n < 0:
		return fmt.Sprintf("a number is expected, got %q", v)
	default:
		*into = n
	}
	return ""
}

func readDuration(v string, into *time.Duration) (reason string) {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return fmt.Sprintf("invalid duration %q: a positive number with a unit is expected, such as 720h", v)
	}
	*into = d
	return ""
}

func readHostPort(v string, into *string) (reason string) {
	u, err := url.Parse("//" + v)
	if err != nil || u.Host != v || u.Port() == "" {
		return fmt.Sprintf("HOST:PORT is expected, got %q", v)
	}
	if _, reason := resource.CheckHost(u.Hostname()); reason != "" {
		return fmt.Sprintf("invalid host %q: %s", u.Hostname(), reason)
	}
	if _, reason := resource.CheckPort(u.Port()); reason != "" {
		return reason
	}
	*into = v
	return ""
}

// logModules and logLevels are the router's (skupper-router 3.x, router
// management schema, entity log).
func logModules() []string {
	return []string{
		"ROUTER", "ROUTER_CORE", "ROUTER_HELLO", "ROUTER_LS", "ROUTER_MA", "MESSAGE", "SERVER", "AGENT",
		"AUTHSERVICE", "CONTAINER", "ERROR", "POLICY", "HTTP", "CONN_MGR", "PYTHON", "PROTOCOL",
		"TCP_ADAPTOR", "HTTP_ADAPTOR", "DEFAULT",
	}
}

func logLevels() []string {
	return []string{"trace", "debug", "info", "notice", "warning", "error", "critical"}
}

// readLogging reads LEVEL or MODULE:LEVEL, separated by commas. A level means
// what is as bad or worse, with or without the router's "+".
func readLogging(v string, into *[]LogLevel) (reason string) {
	for part := range strings.SplitSeq(v, ",") {
		module, level, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok {
			module, level = "", module
		}
		if module == "" {
			module = "DEFAULT"
		}
		level = strings.TrimSuffix(level, "+")
		if !slices.Contains(logModules(), module) {
			return fmt.Sprintf("unknown log module %q; there are %s", module, strings.Join(logModules(), ", "))
		}
		if !slices.Contains(logLevels(), level) {
			return fmt.Sprintf("unknown log level %q; there are %s", level, strings.Join(logLevels(), ", "))
		}
		*into = append(*into, LogLevel{module, level + "+"})
	}
	return ""
}
