package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/config"
)

// parse returns the configuration of a text without errors and warnings.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, warnings, err := config.Parse("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Fatalf("warnings: %v", warnings)
	}
	return c
}

func environment(name string) (string, bool) {
	v, ok := map[string]string{"CERTS": "/certs", "A": "1", "NESTED": "${A}", "EMPTY": ""}[name]
	return v, ok
}

func TestEncodeGivesBackWhatUpstreamWrites(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "site.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(parse(t, string(want)).Encode())); diff != "" {
		t.Error(diff)
	}
}

func TestParseJSONValues(t *testing.T) {
	t.Parallel()
	c, warnings, err := config.Load(filepath.Join("testdata", "site.json"), environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 3 || warnings[0].Line != 22 || !strings.Contains(warnings[0].Text, "SSL_PROFILE_BASE_PATH") {
		t.Errorf("warnings: %v", warnings)
	}
	want := config.NewListener()
	want.Name, want.Line, want.Role, want.Port = "router-access-inter-router", 60, "inter-router", "55671"
	want.SSLProfile, want.SASLMechanisms, want.AuthenticatePeer = "skupper-local-server", "EXTERNAL", true
	if diff := cmp.Diff(want, c.Listeners[1]); diff != "" {
		t.Error(diff)
	}
	if c.Router.HelloMaxAgeSeconds != 3 || c.Router.RAIntervalSeconds != 30 || !c.Router.DropTCPConnections {
		t.Errorf("router: %+v", c.Router)
	}
	if c.TCPConnectors[1].VerifyHostname || !c.TCPConnectors[0].VerifyHostname {
		t.Errorf("verifyHostname: %+v", c.TCPConnectors)
	}
	if c.Site == nil || c.Site.Namespace != "west" || c.Addresses[0].Priority != -1 {
		t.Errorf("site %+v, addresses %+v", c.Site, c.Addresses)
	}
}

func TestParseConf(t *testing.T) {
	t.Parallel()
	c, warnings, err := config.Load(filepath.Join("testdata", "site.conf"), environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	l := c.Listeners[0]
	wantProperties := map[string]any{"team": "payments", "limits": map[string]any{"depth": []any{int64(1), int64(2), int64(3)}, "rate": 0.5}}
	if diff := cmp.Diff(wantProperties, l.OpenProperties); diff != "" {
		t.Error(diff)
	}
	if l.Port != "amqp" || l.HTTP || l.Line != 19 {
		t.Errorf("listener: %+v", l)
	}
	p := c.SSLProfiles[0]
	if p.CACertFile != "/certs/ca.crt" || p.Password != "literal:${UNKNOWN}" {
		t.Errorf("sslProfile: %+v", p)
	}
	if c.Addresses[0].Pattern != "a/#/b" || c.Router.HelloMaxAgeSeconds != 3 || c.Router.Mode != "interior" {
		t.Errorf("%+v %+v", c.Addresses[0], c.Router)
	}
	if v := c.Vhosts[0]; v.Hostname != "$default" || v.Groups["$default"] == nil {
		t.Errorf("vhost: %+v", v)
	}
	again, _, err := config.Parse("again", c.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if changes := config.Diff(c, again); len(changes) != 0 {
		t.Errorf("after Encode: %v", changes)
	}
}

func TestParseReportsEverything(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text     string
		errors   []string
		warnings []string
	}{
		"unknown things": {
			text: "router {\n  id: A\n  colour: red\n}\nlinkRoute {\n  prefix: x\n}\nconnector {\n  connectionStatus: SUCCESS\n}\n",
			warnings: []string{
				`f:3: router has no attribute "colour"; ignored`,
				`f:5: "linkRoute" is not a type of entity; ignored`,
				`f:9: connector: "connectionStatus" cannot be configured; ignored`,
			},
		},
		"kinds of values": {
			text: `[["router",
				{"mode": "leaf", "workerThreads": "many",
				"dropTcpConnections": "perhaps", "id": [1]}],
				["listener", {"openProperties": "x"}],
				["listener", {"name": "b", "maxFrameSize": 1.5, "openProperties": {"ä": 1}}]]`,
			errors: []string{
				`f:2: router: mode: "leaf" is not one of standalone, interior, edge`,
				`f:2: router: workerThreads: "many" is not a whole number`,
				`f:3: router: dropTcpConnections: "perhaps" is not yes or no`,
				`f:3: router: id: [1] is not text`,
				`f:4: listener: openProperties: "x" is not a map`,
				`f:5: listener: maxFrameSize: 1.5 is not a whole number`,
				`f:5: listener: openProperties: key "ä" is not ASCII`,
			},
		},
		"roles": {
			text: "router {\n mode: standalone\n}\nlistener {\n role: edge\n}\nconnector {\n role: inter-router\n}\n",
			errors: []string{
				"f:4: listener listener/:amqp: role: a standalone router has no edge connections",
				"f:7: connector connector/127.0.0.1:amqp: role: a standalone router has no inter-router connections",
			},
		},
		"roles of an edge": {
			text: "router {\n mode: edge\n}\nlistener {\n role: edge\n}\nlistener {\n role: inter-router\n port: 1\n}\nconnector {\n role: edge\n}\n",
			errors: []string{
				"f:4: listener listener/:amqp: role: an edge router accepts no edge routers",
				"f:7: listener listener/:1: role: only an interior router has inter-router connections",
			},
		},
		"references": {
			text: `[["tcpListener", {"name": "a", "port": "1", "address": "x", "sslProfile": "gone"}],
				["connector", {"proxyProfile": "gone"}],
				["listenerAddress", {"address": "x", "value": 1, "listener": "a"}],
				["listenerAddress", {"address": "x", "value": 1, "listener": "b"}]]`,
			errors: []string{
				`f:1: tcpListener a: sslProfile: there is no "gone"`,
				`f:2: connector connector/127.0.0.1:amqp: proxyProfile: there is no "gone"`,
				`f:3: listenerAddress listenerAddress/a:x: listener: tcpListener "a" has no multiAddressStrategy`,
				`f:4: listenerAddress listenerAddress/b:x: listener: there is no tcpListener "b"`,
			},
		},
		"what must be there": {
			text: `[["tcpListener", {"name": "a", "port": "1"}], ["tcpConnector", {"name": "c"}],
				["tcpListener", {"name": "m", "port": "1", "address": "x", "multiAddressStrategy": "weighted"}],
				["listenerAddress", {"address": "x", "listener": "m"}],
				["sslProfile", {}], ["log", {"enable": "loud"}], ["address", {"prefix": "a", "pattern": "b"}]]`,
			errors: []string{
				"f:1: tcpConnector c: address: missing",
				"f:1: tcpConnector c: port: missing",
				"f:1: tcpListener a: address: missing",
				"f:2: tcpListener m: address: not with multiAddressStrategy weighted: listenerAddress entities hold the addresses",
				"f:3: listenerAddress: value: missing",
				"f:4: log: module: missing",
				"f:4: sslProfile sslProfile/: name: missing",
				"f:4: address address/ab: either prefix or pattern, not both",
				`f:4: log log/: enable: "loud" is not a level: debug, info, warning, error, critical, none or default`,
			},
		},
		"ranges": {
			text: `[["router", {"mode": "interior", "id": "a b", "dataConnectionCount": "-1", "helloIntervalSeconds": 0}],
				["connector", {"cost": -1, "port": 70000}],
				["sslProfile", {"name": "p", "ordinal": 1, "oldestValidOrdinal": 2, "privateKeyFile": "k"}]]`,
			errors: []string{
				"f:1: router router/a b: id: character ' ' is not allowed",
				`f:1: router router/a b: dataConnectionCount: "-1" is neither auto nor a number of connections`,
				"f:1: router router/a b: helloIntervalSeconds: 0 is not in 1–2147483647",
				"f:2: connector connector/127.0.0.1:70000: cost: -1 is not in 1–2147483647",
				"f:2: connector connector/127.0.0.1:70000: port: 70000 is not in 0–65535",
				"f:3: sslProfile p: privateKeyFile: there is no certFile for it",
				"f:3: sslProfile p: oldestValidOrdinal: 2 is above the ordinal 1",
			},
		},
		"twice": {
			text:     "router {\n id: A\n id: B\n}\nrouter {\n}\nlistener {\n name: x\n}\nlistener {\n name: x\n}\n",
			errors:   []string{"f:5: router is given twice, first on line 1", "f:10: listener x: name: the name is taken by line 7"},
			warnings: []string{"f:3: router: id is given again after line 2; this one counts"},
		},
		"open properties": {
			text: `[["router", {"mode": "interior"}], ["connector", {"role": "inter-router",
				"openProperties": {"qd.x": 1, "version": 2}}]]`,
			errors: []string{
				`f:1: connector connector/127.0.0.1:amqp: openProperties: key "qd.x" is reserved`,
				`f:1: connector connector/127.0.0.1:amqp: openProperties: key "version" is reserved`,
				"f:1: connector connector/127.0.0.1:amqp: openProperties: not for role inter-router",
			},
		},
		"broken JSON": {text: "[\n[\"router\",\n{,}]]", errors: []string{"f:3: not JSON: invalid character ',' looking for beginning of object key string"}},
		"JSON of other shape": {
			text: "[\n1,\n[2, {}],\n[\"router\"],\n[\"router\", []],\n[\"router\", {}, 3]]",
			errors: []string{
				"f:2: an entity is a list of its type and its attributes",
				"f:3: an entity is a list of its type and its attributes",
				"f:4: an entity is a list of its type and its attributes",
				"f:5: an entity is a list of its type and its attributes",
				"f:6: an entity is a list of its type and its attributes",
			},
		},
		"too deep": {
			text:   `[["router", {"id": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]]`,
			errors: []string{"f:1: more than 32 lists and maps inside each other"},
		},
		"broken conf": {
			text: "router\nlistener {\n host\n port:\n openProperties: {\n \"a\": 1 2\n }\n} x\nconnector {\n",
			errors: []string{
				`f:1: "router" is not the beginning of an entity: TYPE {`,
				`f:3: "host" is not an attribute: NAME: VALUE`,
				"f:4: port has no value",
				"f:5: openProperties is not a JSON map: invalid character '2' after object key:value pair",
				"f:8: text after a closing brace",
				"f:9: connector has no closing brace",
			},
		},
		"not text": {text: "router {\n id: \xff\n}\n", errors: []string{"f:2: not UTF-8"}},
		"map without end": {
			text:   "listener {\n openProperties: {\n  \"a\": {\n }\n",
			errors: []string{"f:1: listener has no closing brace", "f:2: openProperties has no closing brace"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := config.Parse("f", []byte(row.text), nil)
			if (c == nil) != (len(row.errors) > 0) {
				t.Errorf("config %v with errors %v", c, err)
			}
			if diff := cmp.Diff(row.errors, texts(err)); diff != "" {
				t.Errorf("errors:\n%s", diff)
			}
			var got []string
			for _, w := range warnings {
				got = append(got, w.String())
			}
			if diff := cmp.Diff(row.warnings, got); diff != "" {
				t.Errorf("warnings:\n%s", diff)
			}
		})
	}
}

// texts returns the texts of the joined errors and checks their type.
func texts(err error) []string {
	var out []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var typed *config.Error
			if errors.As(e, &typed) {
				out = append(out, e.Error())
			}
		}
	}
	return out
}

func TestEnvironmentIsExpandedInValues(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "${A}": "1", "x${A}y${A}": "x1y1", "${EMPTY}": "", "${NOPE}": "${NOPE}", "${A": "${A",
		"$A": "$A", "${NESTED}": "${A}", "${${A}}": "${1}", "${": "${", "${}": "${}",
	} {
		c, _, err := config.Parse("f", []byte(`[["router", {"metadata": "`+in+`"}]]`), environment)
		if err != nil {
			t.Fatal(err)
		}
		if c.Router.Metadata != want {
			t.Errorf("%q became %q, want %q", in, c.Router.Metadata, want)
		}
	}
}

func TestLogDefaultsOfModuleDEFAULT(t *testing.T) {
	t.Parallel()
	c := parse(t, "log {\n module: DEFAULT\n}\nlog {\n module: SERVER\n enable: trace+\n}\n")
	d, s := c.Logs[0], c.Logs[1]
	if d.Enable != "info+" || d.OutputFile != "stderr" || !*d.IncludeTimestamp || *d.IncludeSource {
		t.Errorf("DEFAULT: %+v", d)
	}
	if s.Enable != "debug+" || s.IncludeTimestamp != nil || s.OutputFile != "" {
		t.Errorf("SERVER: %+v", s)
	}
}

// TestStartupLine has the lines that upstream's users look for in the output of
// a router that does not start.
func TestStartupLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listener {\n role: edge\n}":                                    "Exception: Cannot load configuration file f.conf: role='standalone' not allowed to connect to or accept connections from other routers.",
		"router {\n mode: edge\n}\nconnector {\n role: inter-router\n}": "Exception: Cannot load configuration file f.conf: role='inter-router' only allowed with router mode='interior'",
		"router {\n mode: edge\n}\nlistener {\n role: edge\n}":          "Exception: Cannot load configuration file f.conf: role='edge' only allowed with router mode='interior'",
		"router {\n id: a b\n}":                                         "Router start-up failed: Python: AttributeError: Router id attribute containing character ' ' in id 'a b' is disallowed.",
		"connector {\n cost: -1\n}":                                     "Router start-up failed: Python: CError: Configuration: Invalid cost (-1) specified. Minimum value for cost is 1 and maximum value is 2147483647",
		"tcpConnector {\n port: 1\n}":                                   "Router start-up failed: Python: CError: Configuration: Address must be set",
		"tcpListener {\n port: 1\n}":                                    "Router start-up failed: Python: CError: Configuration: Exactly one of the 'address' or 'multiAddressStrategy' field must be set",
		"tcpConnector {\n port: 1\n address: a\n sslProfile: no\n}":     "Router start-up failed: Python: CError: Configuration: sslProfile 'no' not found",
		"sslProfile {\n name: p\n ordinal: -1\n}":                       "Router start-up failed: Python: CError: Configuration: Negative ordinal field values are invalid (sslProfile 'p')",
		"sslProfile {\n name: p\n oldestValidOrdinal: 1\n}":             "Router start-up failed: Python: CError: Configuration: ordinal must be >= oldestValidOrdinal (sslProfile 'p')",
		"listener {\n maxSessions: 99999\n}":                            "Router start-up failed: Python: CError: Configuration: Invalid maxSessions specified (99999). Minimum value is 1 and maximum value is 32768",
		"listener {\n maxFrameSize: -1\n}":                              "Router start-up failed: Python: CError: Configuration: Invalid maxFrameSize specified (-1). Minimum value is 512 and maximum value is 2147483647",
		"listener {\n maxSessionFrames: 1\n}":                           "Router start-up failed: Python: CError: Configuration: Invalid maxSessionFrames specified (1). Minimum value is 2 and maximum value is 2147483647",
		"listener {\n openProperties: {\n 9: 1\n }\n}":                  "Router start-up failed: Python: JSONDecodeError: Expecting property name enclosed in double quotes",
		"listener {\n openProperties: text\n}":                          "Router start-up failed: Python: ValidationError: Properties must be a map",
		"listener {\n openProperties: {\n \"\\u2588\": 1\n }\n}":        "Router start-up failed: Python: ValidationError: Property keys must be ASCII encoded",
		"listener {\n openProperties: {\n \"qd.FOO\": 1\n }\n}":         "Router start-up failed: Python: ValidationError: Reserved key 'qd.FOO' not allowed in openProperties",
		"log {\n module: SERVER\n enable: loud\n}":                      "Router start-up failed: Python: CError: Configuration: enable: \"loud\" is not a level: debug, info, warning, error, critical, none or default",
	} {
		_, _, err := config.Parse("/etc/f.conf", []byte(text), nil)
		var e *config.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", text, err)
		} else if got := e.Startup(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestSecondAddressIsIgnored(t *testing.T) {
	t.Parallel()
	text := "address {\n prefix: a\n distribution: closest\n}\naddress {\n prefix: a\n distribution: multicast\n}\n"
	c, warnings, err := config.Parse("f", []byte(text), nil)
	if err != nil || len(c.Addresses) != 1 || c.Addresses[0].Distribution != config.DistributionClosest {
		t.Fatalf("%+v, %v", c, err)
	}
	if want := "f:5: address address/a is given on line 1 already; ignored"; len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("warnings %v", warnings)
	}
}

func TestEmptyMapIsNotAbsent(t *testing.T) {
	t.Parallel()
	c := parse(t, `[["listener", {"openProperties": {}}], ["listener", {"name": "b"}]]`)
	if got := config.Get(&c.Listeners[0], "openProperties"); got == nil {
		t.Error("an empty map is null")
	}
	if got := config.Get(&c.Listeners[1], "openProperties"); got != nil {
		t.Errorf("an absent map is %v", got)
	}
	if text := string(c.Encode()); !strings.Contains(text, `"openProperties": {}`) {
		t.Error(text)
	}
}

func TestLoadOfNothing(t *testing.T) {
	t.Parallel()
	if _, _, err := config.Load(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if c := parse(t, ""); c.Router.Mode != config.ModeStandalone || !reflect.DeepEqual(c, config.New()) {
		t.Errorf("empty file: %+v", c)
	}
}
