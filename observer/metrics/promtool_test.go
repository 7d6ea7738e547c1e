package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// promtool runs the tool that Prometheus checks rules with.
func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no promtool (make test-deps installs it)")
	}
	if out, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", arguments, err, out)
	}
}

// TestAlertsFire holds each alert to what it is for: Prometheus evaluates it on
// a series on which it has to fire, and on one on which it must not.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	const cases = "testdata/alerts.yaml"
	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	for name, into := range map[string]any{filepath.Join(packaging, "alerts.yaml"): &rules, cases: &tests} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	fires, stays := map[string]bool{}, map[string]bool{}
	for _, group := range tests.Tests {
		for _, c := range group.AlertRuleTest {
			if len(c.ExpAlerts) > 0 {
				fires[c.Alertname] = true
			} else {
				stays[c.Alertname] = true
			}
		}
	}
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if !fires[r.Alert] || !stays[r.Alert] {
				t.Errorf("%s: there is a case in which it fires: %t, one in which it does not: %t", r.Alert, fires[r.Alert], stays[r.Alert])
			}
		}
	}
	promtool(t, "test", "rules", cases)
}

// TestPrometheusReadsDashboards has Prometheus parse every expression of the
// dashboards, as rules with the variables filled in.
func TestPrometheusReadsDashboards(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(packaging, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expressions []string
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if text, ok := v["expr"].(string); ok {
				expressions = append(expressions, text)
			}
			for _, inner := range v {
				collect(inner)
			}
		case []any:
			for _, inner := range v {
				collect(inner)
			}
		}
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var board any
		if err := json.Unmarshal(raw, &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		collect(board)
	}
	slices.Sort(expressions)
	expressions = slices.Compact(expressions)
	if len(expressions) < 40 {
		t.Errorf("only %d expressions in %q", len(expressions), files)
	}
	type rule struct{ Record, Expr string }
	var rules []rule
	filled := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$site", ".*", "$service", ".*")
	for i, e := range expressions {
		e = filled.Replace(e)
		if left := regexp.MustCompile(`\$\w*`).FindString(e); left != "" {
			t.Errorf("%s: what is %s?", e, left)
		}
		rules = append(rules, rule{"panel:" + strconv.Itoa(i), e})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboards", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint-fatal", file)
}
