package resource

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		text                                 string
		name, namespace, credential, routing bool
	}{
		{"", false, false, false, false},
		{"a", true, true, true, true},
		{"a-1", true, true, true, true},
		{"1", true, true, true, true},
		{"-a", false, false, false, true},
		{"a-", false, false, false, true},
		{"A", false, false, false, true},
		{"a.b", false, false, true, true},
		{"a..b", false, false, false, true},
		{".a", false, false, false, true},
		{"a_b", false, false, false, true},
		{"_a", false, false, false, false},
		{"$a", false, false, false, false},
		{"a b", false, false, false, true},
		{"a\nb", false, false, false, false},
		{"../x", false, false, false, true},
		{"\u00e9", false, false, false, true},
		{long, true, true, true, true},
		{long + "a", false, false, true, true},
		{strings.Repeat("a.", 126) + "a", false, false, true, true},
		{strings.Repeat("a.", 127) + "a", false, false, false, true},
		{strings.Repeat("a", 257), false, false, false, false},
		{"controller", true, false, true, true},
		{"network-observer", true, false, true, true},
	} {
		for rule, x := range map[string]struct {
			reason string
			want   bool
		}{
			"name":        {CheckName(c.text), c.name},
			"namespace":   {CheckNamespace(c.text), c.namespace},
			"credential":  {CheckCredential(c.text), c.credential},
			"routing key": {CheckRoutingKey(c.text), c.routing},
		} {
			if (x.reason == "") != x.want {
				t.Errorf("%q as %s: %q, want ok %v", c.text, rule, x.reason, x.want)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1": "127.0.0.1", "::1": "::1", "0:0::1": "::1", "::ffff:10.0.0.1": "10.0.0.1", "fe80::1%eth0": "fe80::1%eth0",
		"localhost": "localhost", "DB.Example.COM": "db.example.com", "a-b.c": "a-b.c", "1.2.3": "1.2.3",
		"": "", "*": "", "a_b": "", "a b": "", "a..b": "", "a.": "", "-a": "", "[::1]": "", "a:1": "", "a/b": "",
		strings.Repeat("a", 64): "", strings.Repeat("a.", 127) + "a": "",
	} {
		got, reason := CheckHost(text)
		if got != want || (reason == "") != (want != "") {
			t.Errorf("%q: %q %q, want %q", text, got, reason, want)
		}
	}
	for text, want := range map[string]string{" *.Example.com ": "*.example.com", "10.0.0.1": "10.0.0.1", "*": "", "a.*.b": "", "**.a": ""} {
		got, reason := hostListRule(KindCertificate, text)
		if (reason == "") != (want != "") || want != "" && got != want {
			t.Errorf("%q: %q %q, want %q", text, got, reason, want)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"1": 1, "65535": 65535, "0": 0, "65536": 0, "-1": 0, "": 0, "x": 0, "08": 0, "+8": 0, " 8": 0, "8.0": 0, "99999999999999999999": 0,
	} {
		got, reason := CheckPort(text)
		if (reason == "") != (want != 0) || want != 0 && got != want {
			t.Errorf("%q: %d %q, want %d", text, got, reason, want)
		}
	}
}
