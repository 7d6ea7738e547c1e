package query

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says which parameter of a request names nothing. It is the client's.
type Error struct {
	Parameter string // as it was given
	Reason    string
}

func (e *Error) Error() string { return fmt.Sprintf("invalid parameter %q: %s", e.Parameter, e.Reason) }

// kind is how the values of a field compare.
type kind uint8

const (
	text     kind = iota
	parted        // text in parts between "@"
	signed        // int of any width
	unsigned      // uint of any width
	boolean
)

// field is where a value is in a record and how it compares.
type field struct {
	name  string // dotted JSON names
	steps []step
	kind  kind
	list  bool
}

// step goes from a struct to one of its fields; where pointer is set that
// field, or the struct it is in, may be null.
type step struct {
	index   int
	pointer bool
}

// Row is a pointer to a record: what every request asks of each of them is
// answered without reflection.
type Row[T any] interface {
	*T
	ID() string                // the JSON field identity
	Life() (start, end uint64) // µs since 1970; end 0: not ended
}

// Table is the compiled form of a record type T: its fields by JSON name.
type Table[T any] struct {
	name     string
	fields   map[string]*field
	identity *field
	id       func(*T) string
	life     func(*T) (start, end uint64)
	sorted   bool // as Compile was told
}

// Compile reads the type T once, a struct with the JSON field identity. Split
// names the text fields, or lists of text, whose values are parts joined by "@":
// any part may be asked for, in any case of letters. Sorted says that every list
// given to Select is in the order of identities. It panics where T or a name of
// split does not fit: types are part of the program.
func Compile[T any, P Row[T]](sorted bool, split ...string) *Table[T] {
	typ := reflect.TypeFor[T]()
	t := &Table[T]{
		name: typ.Name(), fields: map[string]*field{}, sorted: sorted,
		id:   func(r *T) string { return P(r).ID() },
		life: func(r *T) (start, end uint64) { return P(r).Life() },
	}
	t.collect(typ, "", nil)
	for _, name := range split {
		f := t.fields[name]
		if f == nil || f.kind != text {
			panic(fmt.Sprintf("query: %s.%s is not text", t.name, name))
		}
		f.kind = parted
	}
	t.identity = t.fields["identity"]
	if t.identity == nil || t.identity.kind != text || t.identity.list {
		panic(fmt.Sprintf("query: %s has no identity that is text", t.name))
	}
	return t
}

// collect adds the fields of the struct typ, whose own name is prefix.
func (t *Table[T]) collect(typ reflect.Type, prefix string, steps []step) {
	for i := range typ.NumField() {
		sf := typ.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		of, pointer := sf.Type, sf.Type.Kind() == reflect.Pointer
		if pointer {
			of = of.Elem()
		}
		here := append(slices.Clone(steps), step{i, pointer})
		if name == "" {
			name = sf.Name
			if sf.Anonymous && of.Kind() == reflect.Struct {
				t.collect(of, prefix, here)
				continue
			}
		}
		name = prefix + name
		f := &field{name: name, steps: here}
		if of.Kind() == reflect.Slice {
			f.list, of = true, of.Elem()
		}
		if of.Kind() == reflect.Struct && !f.list {
			t.collect(of, name+".", here)
			continue
		}
		var ok bool
		if f.kind, ok = kindOf(of); ok {
			t.fields[name] = f
		}
	}
}

func kindOf(t reflect.Type) (k kind, ok bool) {
	switch {
	case t.Kind() == reflect.String:
		return text, true
	case t.Kind() == reflect.Bool:
		return boolean, true
	case reflect.Zero(t).CanInt():
		return signed, true
	case reflect.Zero(t).CanUint():
		return unsigned, true
	}
	return 0, false
}

// field finds a field by the name in a request; the first letter of each part
// may be of either case.
func (t *Table[T]) field(name string) *field {
	if f := t.fields[name]; f != nil {
		return f
	}
	parts := strings.Split(name, ".")
	for i, p := range parts {
		r, size := utf8.DecodeRuneInString(p)
		if size > 0 {
			parts[i] = string(unicode.ToLower(r)) + p[size:]
		}
	}
	return t.fields[strings.Join(parts, ".")]
}

// Find returns the record with an identity.
func (t *Table[T]) Find(records []*T, identity string) (*T, bool) {
	if t.sorted {
		i, ok := slices.BinarySearchFunc(records, identity, func(r *T, id string) int { return strings.Compare(t.id(r), id) })
		if !ok {
			return nil, false
		}
		return records[i], true
	}
	i := slices.IndexFunc(records, func(r *T) bool { return t.id(r) == identity })
	if i < 0 {
		return nil, false
	}
	return records[i], true
}

// Page is a part of a list.
type Page[T any] struct {
	Rows  []*T // never nil
	Total int  // rows before paging
}

// Select applies q to records, which it does not change. The error is an
// *Error.
func (t *Table[T]) Select(records []*T, q *Query) (Page[T], error) {
	tests := make([]test, len(q.conditions))
	for i, c := range q.conditions {
		f := t.field(c.key)
		if f == nil {
			return Page[T]{}, &Error{c.key, t.name + " has no such field to filter by"}
		}
		tests[i] = compile(f, c.values)
	}
	key := t.identity
	if q.sortKey != "" {
		if key = t.field(q.sortKey); key == nil {
			return Page[T]{}, &Error{"sortBy", t.name + " has no field " + strconv.Quote(q.sortKey)}
		}
	}
	ordered := key == t.identity && t.sorted
	counts := q.Limit == 0 || ordered && q.Limit > 0 && !q.descending // rows beyond the page are counted, not kept
	var top *first[T]
	if !ordered && q.Limit > 0 && q.Limit <= smallPage && q.Offset <= smallPage-q.Limit {
		top = t.first(q.Offset+q.Limit, q.descending)
	}
	total := 0
	rows := []*T{}
	for _, r := range records {
		if !q.covers(t.life(r)) || len(tests) > 0 && !all(tests, reflect.ValueOf(r).Elem()) {
			continue
		}
		total++
		switch {
		case top != nil:
			top.put(t.keyed(r, key))
		case counts && (total <= q.Offset || len(rows) >= q.Limit):
		default:
			rows = append(rows, r)
		}
	}
	from, to := q.page(total)
	switch {
	case counts:
		return Page[T]{rows, total}, nil
	case top != nil:
		rows = top.rows()
	case ordered && q.descending:
		slices.Reverse(rows)
	case !ordered && to > from:
		t.sort(rows, key, q.descending)
	}
	return Page[T]{rows[from:to:to], total}, nil
}

// keyed is a row with what it is ordered by, read once.
type keyed[T any] struct {
	row    *T
	null   bool
	text   string
	number uint64 // of a number or a boolean, in an order that is that of its values
}

func (t *Table[T]) keyed(r *T, by *field) keyed[T] {
	v, ok := by.value(reflect.ValueOf(r).Elem())
	k := keyed[T]{row: r, null: !ok}
	if !ok || by.list {
		return k // lists are equal
	}
	switch by.kind {
	case text, parted:
		k.text = v.String()
	case signed:
		k.number = uint64(v.Int()) ^ 1<<63
	case unsigned:
		k.number = v.Uint()
	case boolean:
		k.number = uint64(b2i(v.Bool()))
	}
	return k
}

// order compares by the key, null first, and then by identity, also when
// descending, so that pages fit together.
func (t *Table[T]) order(descending bool) func(a, b keyed[T]) int {
	sign := 1
	if descending {
		sign = -1
	}
	return func(a, b keyed[T]) int {
		d := b2i(b.null) - b2i(a.null)
		if d == 0 {
			d = cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
		}
		if d != 0 || t.sorted {
			return sign * d
		}
		return strings.Compare(t.id(a.row), t.id(b.row))
	}
}

// smallPage is how many rows from the beginning are found by keeping the best
// so far; where more are asked for the whole list is put in order.
const smallPage = 200

// first is the beginning of a list that is put in order as it is read.
type first[T any] struct {
	enough int // rows that are asked for
	order  func(a, b keyed[T]) int
	best   []keyed[T] // at most enough, in order
}

func (t *Table[T]) first(enough int, descending bool) *first[T] {
	return &first[T]{enough, t.order(descending), make([]keyed[T], 0, enough+1)}
}

// put takes a row, which stands behind its equals.
func (f *first[T]) put(k keyed[T]) {
	if len(f.best) == f.enough && f.order(k, f.best[f.enough-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(f.best, k, func(have, k keyed[T]) int { return cmp.Or(f.order(have, k), -1) })
	f.best = slices.Insert(f.best, at, k)
	f.best = f.best[:min(len(f.best), f.enough)]
}

func (f *first[T]) rows() []*T { return rowsOf(make([]*T, len(f.best)), f.best) }

// sort puts rows in order.
func (t *Table[T]) sort(rows []*T, by *field, descending bool) {
	all := make([]keyed[T], len(rows))
	for i, r := range rows {
		all[i] = t.keyed(r, by)
	}
	slices.SortStableFunc(all, t.order(descending))
	rowsOf(rows, all)
}

// rowsOf fills rows, which are as many, and returns them.
func rowsOf[T any](rows []*T, from []keyed[T]) []*T {
	for i := range from {
		rows[i] = from[i].row
	}
	return rows
}

// value goes to the field from the struct v; ok is false for null.
func (f *field) value(v reflect.Value) (_ reflect.Value, ok bool) {
	for _, s := range f.steps {
		v = v.Field(s.index)
		if s.pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
	}
	return v, true
}

// test is a condition on a field, its values read once.
type test struct {
	field    *field
	texts    []string
	numbers  []int64
	naturals []uint64
	truth    [2]bool // whether false, true are asked for
}

func compile(f *field, values []string) test {
	t := test{field: f}
	for _, s := range values {
		switch f.kind {
		case text, parted:
			if s != "" { // an empty text is asked for by nobody
				t.texts = append(t.texts, s)
			}
		case signed:
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				t.numbers = append(t.numbers, n)
			}
		case unsigned:
			if n, err := strconv.ParseUint(s, 10, 64); err == nil {
				t.naturals = append(t.naturals, n)
			}
		case boolean:
			t.truth[0] = t.truth[0] || s == "false"
			t.truth[1] = t.truth[1] || s == "true"
		}
	}
	return t
}

func all(tests []test, v reflect.Value) bool {
	for i := range tests {
		if !tests[i].holds(v) {
			return false
		}
	}
	return true
}

func (t *test) holds(record reflect.Value) bool {
	v, ok := t.field.value(record)
	if !ok {
		return false
	}
	if !t.field.list {
		return t.matches(v)
	}
	for i := range v.Len() {
		if t.matches(v.Index(i)) {
			return true
		}
	}
	return false
}

func (t *test) matches(v reflect.Value) bool {
	switch t.field.kind {
	case text:
		s := v.String()
		return slices.ContainsFunc(t.texts, func(want string) bool { return strings.HasPrefix(s, want) })
	case parted:
		for part := range strings.SplitSeq(v.String(), "@") {
			if slices.ContainsFunc(t.texts, func(want string) bool { return strings.EqualFold(part, want) }) {
				return true
			}
		}
		return false
	case signed:
		return slices.Contains(t.numbers, v.Int())
	case unsigned:
		return slices.Contains(t.naturals, v.Uint())
	case boolean:
		return t.truth[b2i(v.Bool())]
	}
	return false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
