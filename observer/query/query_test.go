package query

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type times struct {
	Identity  string `json:"identity"`
	StartTime uint64 `json:"startTime"`
	EndTime   uint64 `json:"endTime"`
}

func (t times) ID() string                { return t.Identity }
func (t times) Life() (start, end uint64) { return t.StartTime, t.EndTime }

// nameless has an identity that is none of its fields.
type nameless struct{ Hidden times }

func (n nameless) ID() string                { return n.Hidden.ID() }
func (n nameless) Life() (start, end uint64) { return n.Hidden.Life() }

type colour string

type place struct {
	City   string  `json:"city"`
	Number *uint16 `json:"number"`
}

type thing struct {
	times
	Name     string    `json:"name"`
	Colour   colour    `json:"colour,omitempty"`
	Count    int       `json:"count"`
	Cost     *uint64   `json:"cost"`
	Bound    bool      `json:"bound"`
	Services *[]string `json:"services"`
	Tags     []string  `json:"tags"`
	Place    *place    `json:"place"`
	Hidden   string    `json:"-"`
	unseen   string
}

func ptr[T any](v T) *T { return &v }

// now is 10,000 s after the epoch; µs.
const now = 10_000_000_000

// things are in the order of their identities.
func things() []*thing {
	return []*thing{
		{times: times{"a", now - 100, 0}, Name: "alpha", Colour: "red", Count: 3, Cost: ptr(uint64(7)), Bound: true, Services: ptr([]string{"web@adr-1@tcp", "db@adr-2@tcp"}), Place: &place{"Bern", ptr(uint16(4))}, unseen: "x"},
		{times: times{"b", now - 200, now - 50}, Name: "Alpha", Colour: "reddish", Count: -1, Services: ptr([]string{}), Tags: []string{"left", "right"}},
		{times: times{"c", now - 300, 0}, Name: "beta", Colour: "blue", Count: 20, Cost: ptr(uint64(1 << 63)), Bound: true, Services: ptr([]string{"WEB@adr-3@tcp"}), Place: &place{City: "Basel"}},
		{times: times{"d", 1, 2}, Name: "gone", Count: 3},
		{times: times{"e", now + 5, 0}, Name: "later"},
	}
}

func table() *Table[thing] { return Compile[thing](true, "services") }

// ask returns the identities of the rows that q asks for, a slash and the
// number of matches.
func ask(t *testing.T, q string) string {
	t.Helper()
	return askFrom(t, table(), things(), q)
}

func askFrom(t *testing.T, table *Table[thing], rows []*thing, q string) string {
	t.Helper()
	values, err := url.ParseQuery(q)
	if err != nil {
		t.Fatal(err)
	}
	query := Parse(values, time.UnixMicro(now))
	p, err := table.Select(rows, &query)
	if err != nil {
		return "error: " + err.Error()
	}
	ids := make([]string, len(p.Rows))
	for i, r := range p.Rows {
		ids[i] = r.Identity
	}
	return fmt.Sprintf("%s/%d", strings.Join(ids, ""), p.Total)
}

func TestSelection(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, query, want string }{
		{"what lived in the last 15 minutes", "", "abc/3"},

		{"text is a prefix", "name=al", "a/1"},
		{"and knows upper from lower case", "name=Al", "b/1"},
		{"all of it is a prefix too", "name=alpha", "a/1"},
		{"more is none", "name=alphabet", "/0"},
		{"empty text matches nothing", "name=", "/0"},
		{"an empty value beside others", "name=&name=beta", "c/1"},
		{"types made of text", "colour=red", "ab/2"},
		{"values of a key are alternatives", "name=al&name=be", "ac/2"},
		{"keys must all hold", "colour=red&name=A", "b/1"},
		{"numbers are exact", "count=3&timeRangeStart=0", "ad/2"},
		{"not prefixes", "count=2", "/0"},
		{"negative", "count=-1", "b/1"},
		{"no number", "count=x", "/0"},
		{"one of two numbers", "count=x&count=20", "c/1"},
		{"null matches nothing", "cost=0", "/0"},
		{"beyond 63 bits", "cost=9223372036854775808", "c/1"},
		{"true", "bound=true", "ac/2"},
		{"false", "bound=false", "b/1"},
		{"either", "bound=false&bound=true", "abc/3"},
		{"neither", "bound=TRUE", "/0"},
		{"not ended", "endTime=0", "ac/2"},
		{"any element of a list", "tags=ri", "b/1"},
		{"no element", "tags=middle", "/0"},
		{"a part of an element, any case", "services=web", "ac/2"},
		{"the id of a service", "services=ADR-2", "a/1"},
		{"no prefix of a part", "services=adr", "/0"},
		{"the protocol of a service", "services=tcp", "ac/2"},
		{"the first letter may be upper case", "Name=al&SERVICES=x", `error: invalid parameter "SERVICES": thing has no such field to filter by`},
		{"the first letter may be upper case, of all parts", "Name=al&Place.City=Be", "a/1"},
		{"below a field", "place.city=Ba", "c/1"},
		{"below a field that is null", "place.city=", "/0"},
		{"a null below a field", "place.number=4", "a/1"},
		{"unknown field", "nope=1", `error: invalid parameter "nope": thing has no such field to filter by`},
		{"two unknown fields, always the same is named", "y=1&x=1", `error: invalid parameter "x": thing has no such field to filter by`},
		{"unknown below a field", "name.first=1", `error: invalid parameter "name.first": thing has no such field to filter by`},
		{"a struct is no field", "place=1", `error: invalid parameter "place": thing has no such field to filter by`},
		{"fields without a JSON name", "hidden=1", `error: invalid parameter "hidden": thing has no such field to filter by`},
		{"fields that are not exported", "unseen=x", `error: invalid parameter "unseen": thing has no such field to filter by`},
		{"embedded structs have no name", "times=1", `error: invalid parameter "times": thing has no such field to filter by`},

		{"active", "state=active", "ac/2"},
		{"terminated", "state=terminated", "b/1"},
		{"terminated, whenever", "state=terminated&timeRangeStart=0", "bd/2"},
		{"unknown state", "state=odd", "abc/3"},

		{"intersects, the end counts", "timeRangeStart=2&timeRangeEnd=2", "d/1"},
		{"intersects, the start counts", "timeRangeStart=1&timeRangeEnd=1", "d/1"},
		{"intersects, later", "timeRangeStart=3&timeRangeEnd=3", "/0"},
		{"future", "timeRangeEnd=10000000005", "abce/4"},
		{"contains", "timeRangeOperation=contains&timeRangeStart=9999999900&timeRangeEnd=9999999960", "ac/2"},
		{"contains, one that ended", "timeRangeOperation=contains&timeRangeStart=9999999900&timeRangeEnd=9999999950", "abc/3"},
		{"within", "timeRangeOperation=within&timeRangeStart=0", "bd/2"},
		{"unknown relation", "timeRangeOperation=odd", "abc/3"},
		{"malformed time", "timeRangeStart=x&timeRangeEnd=", "abc/3"},
		{"negative time", "timeRangeStart=-5", "abcd/4"},

		{"limit", "limit=2", "ab/3"},
		{"none, counted", "limit=0", "/3"},
		{"all", "limit=-1", "abc/3"},
		{"malformed limit", "limit=x", "abc/3"},
		{"offset", "offset=1", "bc/3"},
		{"offset and limit", "offset=1&limit=1", "b/3"},
		{"offset and large limit", "offset=1&limit=9223372036854775807", "bc/3"},
		{"offset beyond the end", "offset=9&limit=1", "/3"},
		{"negative offset", "offset=-9", "abc/3"},

		{"identity descending", "sortBy=identity.desc", "cba/3"},
		{"identity descending, page", "sortBy=identity.desc&limit=1&offset=1", "b/3"},
		{"by text", "sortBy=name.asc", "bac/3"},
		{"by text, page", "sortBy=name.asc&limit=1&offset=1", "a/3"},
		{"by text descending", "sortBy=name.desc", "cab/3"},
		{"by number", "sortBy=count.asc", "bac/3"},
		{"null first", "sortBy=cost.asc", "bac/3"},
		{"null last", "sortBy=cost.desc", "cab/3"},
		{"by boolean, then identity", "sortBy=bound.asc", "bac/3"},
		{"by boolean descending, then identity", "sortBy=bound.desc", "acb/3"},
		{"by start", "sortBy=StartTime.asc", "cba/3"},
		{"below a field", "sortBy=place.city.desc", "acb/3"},
		{"by a list: identity", "sortBy=tags.asc", "abc/3"},
		{"no order given", "sortBy=name", "abc/3"},
		{"unknown order", "sortBy=name.up", "abc/3"},
		{"empty", "sortBy=", "abc/3"},
		{"unknown field to sort by", "sortBy=nope.asc", `error: invalid parameter "sortBy": thing has no field "nope"`},
		{"unknown field, nothing wanted", "sortBy=nope.asc&limit=0", `error: invalid parameter "sortBy": thing has no field "nope"`},
	} {
		if got := ask(t, row.query); got != row.want {
			t.Errorf("%s: ?%s: %s, want %s", row.name, row.query, got, row.want)
		}
	}
}

func TestRecordsAreLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	rows := things()
	for _, q := range []string{"sortBy=name.desc", "sortBy=identity.desc", "name=al", "limit=1"} {
		askFrom(t, table(), rows, q)
	}
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		if rows[i].Identity != id {
			t.Errorf("row %d is %s now", i, rows[i].Identity)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	rows := things()
	for name, table := range map[string]*Table[thing]{"in order": Compile[thing](true), "in any order": Compile[thing](false)} {
		for _, r := range rows {
			if got, ok := table.Find(rows, r.Identity); !ok || got != r {
				t.Errorf("%s: %s is %v", name, r.Identity, got)
			}
		}
		for _, id := range []string{"", "aa", "z"} {
			if got, ok := table.Find(rows, id); ok || got != nil {
				t.Errorf("%s: %q is %v", name, id, got)
			}
		}
	}
}

// TestPagesAreTheList compares pages with the whole list, for lists that are in
// order and for those that are not.
func TestPagesAreTheList(t *testing.T) {
	t.Parallel()
	inOrder, anyOrder := Compile[thing](true), Compile[thing](false)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(rt, "rows")
		rows := make([]*thing, n)
		for i := range rows {
			rows[i] = &thing{times: times{fmt.Sprintf("%02d", i), now - 1, 0}, Count: rapid.IntRange(0, 3).Draw(rt, "count")}
		}
		sort := rapid.SampledFrom([]string{"", "identity.asc", "identity.desc", "count.asc", "count.desc"}).Draw(rt, "sortBy")
		limit, offset := rapid.IntRange(0, 5).Draw(rt, "limit"), rapid.IntRange(0, 14).Draw(rt, "offset")
		for _, table := range []*Table[thing]{inOrder, anyOrder} {
			given := slices.Clone(rows)
			if table == anyOrder {
				given = rapid.Permutation(rows).Draw(rt, "order")
			}
			whole, count, _ := strings.Cut(askFrom(t, table, given, "sortBy="+sort), "/")
			from := min(2*offset, len(whole))
			want := whole[from:min(from+2*limit, len(whole))] + "/" + count
			if got := askFrom(t, table, given, fmt.Sprintf("sortBy=%s&limit=%d&offset=%d", sort, limit, offset)); got != want {
				rt.Fatalf("page %s of %s, want %s", got, whole, want)
			}
		}
	})
}

func TestTypesThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, compile := range map[string]func(){
		"no identity":      func() { Compile[nameless](true) },
		"no such field":    func() { Compile[thing](true, "nope") },
		"no text in parts": func() { Compile[thing](true, "count") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			compile()
		}()
	}
}

// FuzzQuery holds what a request can say against any list: no panic, never
// more rows than matches, matches no more than records.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"", "name=al&role=x", "limit=0", "limit=9223372036854775807&offset=9223372036854775807", "sortBy=.asc", "sortBy=place.city.desc&offset=1",
		"timeRangeStart=18446744073709551615", "timeRangeOperation=within&state=terminated", "services=web%00@", "%ff=1", ".=1", "name=%zz",
	} {
		f.Add(q)
	}
	table, rows := table(), things()
	f.Fuzz(func(t *testing.T, s string) {
		values, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		q := Parse(values, time.UnixMicro(now))
		p, err := table.Select(rows, &q)
		if err != nil {
			return
		}
		if len(p.Rows) > p.Total || p.Total > len(rows) || q.Limit >= 0 && len(p.Rows) > q.Limit {
			t.Errorf("%d rows of %d, limit %d", len(p.Rows), p.Total, q.Limit)
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	rows := make([]*thing, 100_000)
	for i := range rows {
		rows[i] = &thing{times: times{fmt.Sprintf("%06d", i), now - 1, 0}, Name: fmt.Sprintf("site-%d", i%1000), Count: i % 17}
	}
	table := table()
	for _, q := range []string{"limit=20", "limit=20&name=site-77", "limit=20&sortBy=count.desc"} {
		b.Run(q, func(b *testing.B) {
			values, err := url.ParseQuery(q)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				query := Parse(values, time.UnixMicro(now))
				if _, err := table.Select(rows, &query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
