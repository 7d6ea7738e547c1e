package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// packaging is where what is delivered for this observer stands.
const packaging = "../../packaging/observer"

// foreign are metrics of the libraries.
func foreign() []string {
	return []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_memstats_heap_inuse_bytes"}
}

// understood reports what in a PromQL expression names no metric or label of
// ours. It is not a parser: quotes and braces have to be balanced, words
// followed by a brace or a bracket, or that look like a metric, have to be one.
func understood(expr string) (problems []string) {
	metrics, labels := map[string][]string{}, map[string]bool{"le": true, "quantile": true}
	for _, m := range table() {
		names := []string{m.name}
		if m.typ == histogram {
			names = []string{m.name + "_bucket", m.name + "_sum", m.name + "_count"}
		}
		for _, n := range names {
			metrics[n] = m.labels
		}
	}
	for _, n := range foreign() {
		metrics[n] = nil
	}
	bare := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expr, `""`)
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(bare, pair[:1]) != strings.Count(bare, pair[1:]) {
			problems = append(problems, "unbalanced "+pair)
		}
	}
	found := 0
	for _, word := range regexp.MustCompile(`[a-z]+_[a-z_]+`).FindAllString(bare, -1) {
		if of, ok := metrics[word]; ok {
			found++
			for _, l := range of {
				labels[l] = true
			}
		} else if strings.HasPrefix(word, "skupper_") || strings.HasPrefix(word, "legacy_") || strings.HasPrefix(word, "process_") || strings.HasPrefix(word, "go_") {
			problems = append(problems, "unknown metric "+word)
		}
	}
	if found == 0 {
		problems = append(problems, "no metric")
	}
	var used []string
	for _, m := range regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`).FindAllStringSubmatch(bare, -1) {
		used = append(used, strings.Split(m[1], ",")...)
	}
	for _, m := range regexp.MustCompile(`\{([^}]*)\}`).FindAllStringSubmatch(bare, -1) {
		for _, c := range strings.Split(m[1], ",") {
			name, _, _ := strings.Cut(c, "=")
			used = append(used, strings.TrimRight(name, "!"))
		}
	}
	for _, l := range used {
		if l = strings.TrimSpace(l); !labels[l] {
			problems = append(problems, "unknown label "+l)
		}
	}
	return problems
}

func TestUnderstood(t *testing.T) {
	t.Parallel()
	for expr, wrong := range map[string]bool{
		`sum by (site_id) (skupper_site_link_up{link="x y{("}) > 0`:                      false,
		`histogram_quantile(0.9, sum by (le) (skupper_internal_latency_seconds_bucket))`: false,
		`skupper_site_link_down`:                     true,
		`skupper_internal_latency_seconds`:           true,
		`sum by (nope) (skupper_site_link_up)`:       true,
		`skupper_site_link_up{nope="x"}`:             true,
		`sum(skupper_site_link_up`:                   true,
		`vector(1)`:                                  true,
		`sum by (method) (skupper_sent_bytes_total)`: true,
	} {
		if got := understood(expr); len(got) > 0 != wrong {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(packaging, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if names[r.Alert] || !strings.HasPrefix(r.Alert, "Skupper") {
				t.Errorf("%s: name", r.Alert)
			}
			names[r.Alert] = true
			if got := understood(r.Expr); len(got) > 0 {
				t.Errorf("%s: %v", r.Alert, got)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: severity %q, annotations %v", r.Alert, r.Labels["severity"], r.Annotations)
			}
			if r.For != "" && !regexp.MustCompile(`^\d+[smh]$`).MatchString(r.For) {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
		}
	}
	if len(names) < 8 {
		t.Errorf("%d alerts", len(names))
	}
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(packaging, "*.json"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	uids := map[string]bool{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		type source struct{ Type, UID string }
		var board struct {
			UID, Title string
			Panels     []struct {
				ID         int
				Title      string
				Datasource source
				GridPos    struct{ X, Y, W, H int }
				Targets    []struct {
					Expr, LegendFormat, RefID string
					Datasource                source
				}
			}
		}
		if err := json.Unmarshal(raw, &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if board.UID == "" || uids[board.UID] || board.Title == "" {
			t.Errorf("%s: uid %q, title %q", name, board.UID, board.Title)
		}
		uids[board.UID] = true
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range board.Panels {
			if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q with %d queries", name, p.ID, p.Title, len(p.Targets))
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: panel %q overlaps %q", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			for _, q := range p.Targets {
				got := understood(q.Expr)
				for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
					got = append(got, understood("sum by ("+m[1]+") ("+q.Expr+")")...)
				}
				if len(got) > 0 || q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" {
					t.Errorf("%s: %q: %s: %v, from %q", name, p.Title, q.Expr, got, q.Datasource.UID)
				}
			}
		}
	}
}
