package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ours are the fields of a kind that upstream does not have.
func ours() map[string][]string {
	return map[string][]string{
		"sites":   {"location"},
		"routers": {"siteName"},
		"routerlinks": {
			"protocol", "destHost", "destPort", "since", "upTime", "downTime", "downCount", "result", "reason",
		},
		"routeraccess":     {"routerName", "siteId", "siteName"},
		"listeners":        {"flowCount"},
		"connectors":       {"flowCount"},
		"connections":      {"serviceId"},
		"applicationflows": {"latency", "reason", "streamId", "forwardedFor", "serviceId"},
	}
}

// TestAsUpstream reads upstream's answers into records and writes them again:
// but for what is ours nothing is lost, added or of another type.
func TestAsUpstream(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string]any{
		"sites": &[]Site{}, "routers": &[]Router{}, "routerlinks": &[]RouterLink{}, "routeraccess": &[]RouterAccess{},
		"listeners": &[]Listener{}, "connectors": &[]Connector{}, "services": &[]Service{}, "components": &[]Component{},
		"processes": &[]Process{}, "sitepairs": &[]Pair{}, "componentpairs": &[]Pair{}, "processpairs": &[]Pair{},
		"connections": &[]Connection{}, "applicationflows": &[]ApplicationFlow{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "captures", "observer-api", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var theirs struct {
				Results []map[string]any `json:"results"`
			}
			decode(t, raw, &theirs)
			if len(theirs.Results) == 0 {
				t.Fatal("the recording has no rows")
			}
			whole := struct {
				Results any `json:"results"`
			}{rows}
			decode(t, raw, &whole)
			again, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			var mine []map[string]any
			decode(t, again, &mine)
			for _, row := range mine {
				for _, field := range ours()[name] {
					delete(row, field)
				}
			}
			if diff := cmp.Diff(theirs.Results, mine); diff != "" {
				t.Errorf("(-upstream +ours):\n%s", diff)
			}
		})
	}
}

// TestFieldsAreWritten shows that nothing but what may be left out is.
func TestFieldsAreWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		record any
		absent []string
		null   []string
	}{
		{record: Site{}, absent: []string{"namespace", "location"}},
		{record: Router{}, absent: []string{"namespace"}},
		{
			record: RouterLink{},
			absent: []string{"destHost", "destPort", "protocol", "reason", "result"},
			null: []string{
				"cost", "destinationRouterId", "destinationRouterName", "destinationSiteId", "destinationSiteName", "proxyProtocol", "routerAccessId",
			},
		},
		{record: Listener{}, absent: []string{"serviceId"}},
		{record: Connector{}, absent: []string{"serviceId"}, null: []string{"target"}},
		{record: Process{}, null: []string{"hostName", "imageName", "services"}},
		{record: Pair{}, absent: []string{"destinationSiteId", "destinationSiteName", "sourceSiteId", "sourceSiteName"}},
	} {
		raw, err := json.Marshal(tt.record)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		decode(t, raw, &fields)
		var null []string
		for name, v := range fields {
			if v == nil {
				null = append(null, name)
			}
		}
		slices.Sort(null)
		if !slices.Equal(null, tt.null) {
			t.Errorf("%T: null are %v, want %v", tt.record, null, tt.null)
		}
		for _, name := range tt.absent {
			if _, ok := fields[name]; ok {
				t.Errorf("%T: has %s", tt.record, name)
			}
		}
	}
	if OrUnknown("") != "unknown" || OrUnknown("x") != "x" || (Base{Identity: "i"}).ID() != "i" {
		t.Error("OrUnknown, ID")
	}
}

func decode(t *testing.T, raw []byte, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		t.Fatal(err)
	}
}
