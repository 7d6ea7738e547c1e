package config

import (
	"reflect"
	"strconv"
	"strings"
)

// Entity is one typed entity: a pointer to Router, Network, Policy, Site,
// SSLProfile, ProxyProfile, Connector, Listener, Address, AutoLink,
// TCPConnector, TCPListener, ListenerAddress, Log or Vhost.
type Entity interface {
	// Type returns the description of the entity's type.
	Type() *Type
	// identifier is the part of the identity after "<type>/".
	identifier() string
}

// An Attr is one attribute with its value, of the Go type that its Kind says.
type Attr struct {
	Name  string
	Value any
}

// field is the place of one attribute in a struct.
type field struct {
	attr   *Attribute
	index  int
	always bool
	text   bool
	number bool
	unset  int64
}

// binding maps the attributes of one entity type to the fields of its struct.
type binding struct {
	typ    *Type
	fields []field // in the order of the struct
	byName map[string]int
	line   int // index of the field Line
}

// bindings has the binding of every struct of entities.go. It is built once
// and never written.
var bindings = bindAll()

// structs has the struct of every type that may stand in a file, by its name.
// It is built once and never written.
var structs = structTypes()

func structTypes() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for name, e := range emptyEntities() {
		all[name] = reflect.TypeOf(e).Elem()
	}
	return all
}

func bindAll() map[reflect.Type]*binding {
	all := map[reflect.Type]*binding{}
	for name, e := range emptyEntities() {
		t := schema.byName[name]
		all[reflect.TypeOf(e).Elem()] = bind(t, reflect.TypeOf(e).Elem())
	}
	return all
}

// emptyEntities returns a zero struct for every type that may stand in a file.
func emptyEntities() map[string]Entity {
	return map[string]Entity{
		"router": &Router{}, "network": &Network{}, "policy": &Policy{}, "site": &Site{},
		"sslProfile": &SSLProfile{}, "proxyProfile": &ProxyProfile{}, "connector": &Connector{}, "listener": &Listener{},
		"router.config.address": &Address{}, "router.config.autoLink": &AutoLink{},
		"tcpConnector": &TCPConnector{}, "tcpListener": &TCPListener{}, "listenerAddress": &ListenerAddress{},
		"log": &Log{}, "vhost": &Vhost{},
	}
}

func bind(t *Type, st reflect.Type) *binding {
	b := &binding{typ: t, byName: map[string]int{}}
	for i := range st.NumField() {
		tag := st.Field(i).Tag.Get("attr")
		if tag == "" {
			b.line = i
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		f := field{attr: t.Attribute(name), index: i}
		for option := range strings.SplitSeq(options, ",") {
			switch {
			case option == "always":
				f.always = true
			case option == "text":
				f.text = true
			case option == "number":
				f.number = true
			case strings.HasPrefix(option, "unset="):
				f.unset, _ = strconv.ParseInt(option[len("unset="):], 10, 64)
			}
		}
		b.byName[name] = len(b.fields)
		b.fields = append(b.fields, f)
	}
	return b
}

// of returns the binding of e and its struct.
func of(e Entity) (*binding, reflect.Value) {
	v := reflect.ValueOf(e).Elem()
	return bindings[v.Type()], v
}

// fresh returns a struct with the defaults of its type.
func fresh[T any]() T { return defaults[reflect.TypeFor[T]()].(T) }

// defaults has a struct with the defaults of every type. It is built once and
// never written.
var defaults = allDefaults()

func allDefaults() map[reflect.Type]any {
	all := map[reflect.Type]any{}
	for t, b := range bindings {
		v := reflect.New(t).Elem()
		b.fill(v)
		all[t] = v.Interface()
	}
	return all
}

func (b *binding) fill(v reflect.Value) {
	for i := range b.fields {
		f := &b.fields[i]
		switch {
		case f.attr.Default != nil:
			f.store(v, f.attr.Default)
		case f.unset != 0:
			f.store(v, f.unset)
		}
	}
}

// NewEntity returns an entity of that type with the defaults. ok is false if
// entities of the type do not stand in a file.
func NewEntity(t *Type) (e Entity, ok bool) {
	st, ok := structs[t.Name]
	if !ok {
		return nil, false
	}
	v := reflect.New(st)
	v.Elem().Set(reflect.ValueOf(defaults[st]))
	return v.Interface().(Entity), true
}

// store puts a value of the right Go type into the struct v.
func (f *field) store(v reflect.Value, value any) {
	dst := v.Field(f.index)
	if dst.Kind() == reflect.Pointer {
		p := reflect.New(dst.Type().Elem())
		p.Elem().Set(reflect.ValueOf(value))
		dst.Set(p)
		return
	}
	dst.Set(reflect.ValueOf(value))
}

// load returns the value in the struct v, nil if it stands for absence.
func (f *field) load(v reflect.Value) any {
	src := v.Field(f.index)
	if src.Kind() == reflect.Pointer {
		if src.IsNil() {
			return nil
		}
		return src.Elem().Interface()
	}
	value := src.Interface()
	if f.attr.Default != nil || f.attr.Has(Required) {
		return value
	}
	switch x := value.(type) {
	case string:
		if x == "" {
			return nil
		}
	case int64:
		if x == f.unset {
			return nil
		}
	case bool:
		if !x {
			return nil
		}
	case map[string]any:
		if x == nil {
			return nil
		}
	}
	return value
}

// Attrs returns the attributes of e that are not null, without identity and
// type, in the order in which a file has them.
func Attrs(e Entity) []Attr {
	b, v := of(e)
	var out []Attr
	for i := range b.fields {
		if value := b.fields[i].load(v); value != nil {
			out = append(out, Attr{b.fields[i].attr.Name, value})
		}
	}
	return out
}

// Get returns the value of one attribute of e, nil for null and for attributes
// that are not configured. It knows identity and type as well.
func Get(e Entity, name string) any {
	switch name {
	case "identity":
		return Identity(e)
	case "type":
		return e.Type().FullName()
	case "name":
		return Name(e)
	}
	b, v := of(e)
	if i, ok := b.byName[name]; ok {
		return b.fields[i].load(v)
	}
	return nil
}

// Set converts value to the attribute's kind as Convert does and puts it into
// e; nil puts back the default. Its error is of the kind that Convert returns,
// or ErrUnknownAttribute.
func Set(e Entity, name string, value any) error {
	b, v := of(e)
	i, ok := b.byName[name]
	if !ok {
		return ErrUnknownAttribute
	}
	f := &b.fields[i]
	if value == nil {
		def := reflect.New(v.Type()).Elem()
		b.fill(def)
		v.Field(f.index).Set(def.Field(f.index))
		return nil
	}
	if _, log := e.(*Log); log && name == "enable" && value == "" {
		value = "none" // compat: no level, and not those of DEFAULT
	}
	converted, err := Convert(f.attr, value)
	if err != nil {
		return err
	}
	f.store(v, converted)
	return nil
}

// Line returns the line of the file at which e begins, 0 if it is of no file.
func Line(e Entity) int {
	b, v := of(e)
	return int(v.Field(b.line).Int())
}

func setLine(e Entity, line int) {
	b, v := of(e)
	v.Field(b.line).SetInt(int64(line))
}

// Clone returns a copy of e. Maps inside are shared; nobody changes them.
func Clone(e Entity) Entity {
	v := reflect.ValueOf(e).Elem()
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface().(Entity)
}
