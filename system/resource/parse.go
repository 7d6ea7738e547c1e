package resource

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits on what is read, in bytes.
const (
	MaxFile     = 16 << 20
	MaxDocument = 1 << 20
)

// Input is one file, or the standard input, as bytes.
type Input struct {
	Name string // for messages; "" was typed, and is in no file. What ends in .json is JSON
	Data []byte
}

// File is what one Input held. It can be kept and given to Collect again while
// the bytes stay the same.
type File struct {
	Name     string
	Objects  []Object // the valid ones, in order
	Skipped  []Skipped
	Warnings []Warning
	Errors   []*FieldError
}

// Loadable reports whether a file of that name is read from a directory of
// resources.
func Loadable(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json")
}

// Parse reads files and collects their objects. All problems are reported: the
// error joins a *FieldError for each (see Problems), and the set holds the
// objects that have none. Warnings are sorted as the errors are.
func Parse(files []Input) (*Set, []Warning, error) {
	parsed := make([]*File, len(files))
	workers := min(runtime.GOMAXPROCS(0), 1+len(files)/filesEach)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(files); i += workers {
				parsed[i] = ParseFile(files[i])
			}
		})
	}
	wg.Wait()
	return Collect(parsed...)
}

// filesEach is how many files are parsed in the time that it takes to have
// another processor help.
const filesEach = 64

// Collect joins files to one set, in the order of their names. Two definitions
// of the same kind and name are an error, unless they say the same.
func Collect(files ...*File) (*Set, []Warning, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b *File) int { return cmp.Compare(a.Name, b.Name) })
	set := NewSet()
	var warnings []Warning
	var problems []*FieldError
	for _, f := range files {
		set.Skipped = append(set.Skipped, f.Skipped...)
		warnings = append(warnings, f.Warnings...)
		problems = append(problems, f.Errors...)
		for _, o := range f.Objects {
			first := set.Find(o.Ref())
			if first == nil {
				set.Put(o)
				continue
			}
			if !Same(first, o) {
				e := Problem(o, "metadata.name", fmt.Sprintf("%s %s is defined twice, first in %s",
					o.Ref().Kind, o.Ref().Name, place(first.Head().Source.File, first.Head().Line("metadata.name"))))
				e.Advice = "remove one of the two, or give it another name"
				problems = append(problems, e)
			}
		}
	}
	SortWarnings(warnings)
	return set, warnings, JoinErrors(problems)
}

// Problem makes an error about a field of o; the empty field means o itself.
func Problem(o Object, field, reason string) *FieldError {
	m := o.Head()
	return &FieldError{File: m.Source.File, Line: m.Line(field), Object: o.Ref(), Field: field, Reason: reason}
}

// Remark makes a warning about a field of o; the empty field means o itself.
func Remark(o Object, field, reason string) Warning {
	m := o.Head()
	return Warning{File: m.Source.File, Line: m.Line(field), Object: o.Ref(), Field: field, Reason: reason}
}

// ParseFile reads one file.
func ParseFile(in Input) *File {
	f := &File{Name: in.Name}
	text := bytes.TrimPrefix(in.Data, []byte("\xef\xbb\xbf"))
	switch {
	case len(text) > MaxFile:
		f.fail(0, fmt.Sprintf("file too large: %d bytes, %d are read", len(text), MaxFile))
	case !utf8.Valid(text):
		f.fail(0, "not a text in UTF-8")
	case strings.HasSuffix(in.Name, ".json") || looksLikeJSON(text):
		f.readJSON(text)
	default:
		f.readYAML(text)
	}
	return f
}

func (f *File) fail(line int, reason string) {
	f.Errors = append(f.Errors, &FieldError{File: f.Name, Line: line, Reason: reason})
}

// looksLikeJSON tells JSON from YAML in a file whose name does not: a stream of
// objects in JSON, each in braces.
func looksLikeJSON(text []byte) bool {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	for {
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func (f *File) readJSON(text []byte) {
	r := newJSONReader(text)
	for doc := 1; ; doc++ {
		n, err := r.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			f.fail(r.lineNow(), "JSON: "+err.Error())
			return
		}
		f.document(n, 0, doc)
	}
}

func (f *File) readYAML(text []byte) {
	doc := 0
	for _, c := range splitDocuments(text) {
		n, err := c.parse()
		if err != nil {
			f.fail(err.Line, err.Reason)
		}
		if n == nil {
			continue
		}
		doc++
		f.document(n.Content[0], c.line-1, doc)
	}
}

// parse reads the document; nil if it is empty. Otherwise it has one content
// node, below the one that holds the comments around it.
func (c chunk) parse() (*yaml.Node, *FieldError) {
	if len(c.text) > MaxDocument {
		return nil, &FieldError{Line: c.line, Reason: fmt.Sprintf("document too large: %d bytes, %d are read", len(c.text), MaxDocument)}
	}
	text := c.text
	if bytes.HasPrefix(text, []byte("%YAML 1.2")) { // the parser knows 1.1 only; nothing here differs
		text = append([]byte("#"), text[1:]...)
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		line, reason := yamlError(err)
		return nil, &FieldError{Line: c.line + max(line-1, 0), Reason: "YAML: " + reason}
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 || isNull(n.Content[0]) {
		return nil, nil
	}
	return &n, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// yamlError takes the line out of the parser's message; 0 if it has none.
func yamlError(err error) (line int, reason string) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	m := yamlLine.FindStringSubmatch(first)
	if m == nil {
		return 0, first
	}
	line, _ = strconv.Atoi(m[1])
	if line > 0 && slices.ContainsFunc(countedFromZero(), func(s string) bool { return strings.HasPrefix(m[2], s) }) {
		line++
	}
	return line, m[2]
}

// countedFromZero are the complaints of yaml.v3's parser. It gives their lines
// from zero, and those of its scanner from one.
func countedFromZero() []string {
	return []string{
		"did not find expected key", "did not find expected '-' indicator", "did not find expected node content",
		"did not find expected ',' or", "did not find expected <document start>", "did not find expected <stream-start>",
		"found undefined tag handle", "found duplicate %", "found incompatible YAML document",
	}
}

// document reads one document; above is the number of lines before the first
// that the node counts.
func (f *File) document(n *yaml.Node, above, doc int) {
	if isNull(n) { // in JSON
		return
	}
	shift(n, above)
	src := Source{File: f.Name, Line: n.Line, Doc: doc}
	apiVersion, kind := textAt(n, "apiVersion"), textAt(n, "kind")
	if n.Kind != yaml.MappingNode {
		f.fail(n.Line, "a resource expected, got "+nodeType(n))
		return
	}
	if apiVersion == CoreVersion && kind == "List" {
		f.list(n, doc)
		return
	}
	if kind == "" || apiVersion == "" {
		f.fail(n.Line, "not a resource: apiVersion and kind are required")
		return
	}
	k := Kind(kind)
	if s := schemas()[k]; s == nil || k.APIVersion() != apiVersion {
		f.skip(n, src, apiVersion, kind)
		return
	}
	d := &decoder{file: f, schema: schemas()[k], ref: Ref{k, textAt(member(n, "metadata"), "name")}}
	if o := d.object(n, src); o != nil {
		f.Objects = append(f.Objects, o)
	}
}

// list reads the documents of a Kubernetes List. A list or an alias in a list is
// refused: of these a small file can make very many.
func (f *File) list(n *yaml.Node, doc int) {
	items := member(n, "items")
	if items == nil {
		return
	}
	for _, item := range items.Content {
		if item.Kind != yaml.MappingNode || textAt(item, "kind") == "List" {
			f.fail(item.Line, "a resource expected in a list")
			continue
		}
		f.document(item, 0, doc)
	}
}

func (f *File) skip(n *yaml.Node, src Source, apiVersion, kind string) {
	s := Skipped{apiVersion, kind, textAt(member(n, "metadata"), "name"), src}
	f.Skipped = append(f.Skipped, s)
	f.Warnings = append(f.Warnings, Warning{
		File: src.File, Line: src.Line, Object: Ref{Kind(kind), s.Name},
		Reason: fmt.Sprintf("skipped: %s %s has no meaning on this platform", apiVersion, kind),
	})
}

// shift adds to the line of every node, so that lines count from the start of
// the file. Nodes shared by aliases hang on their anchor only.
func shift(n *yaml.Node, lines int) {
	if lines == 0 {
		return
	}
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}
