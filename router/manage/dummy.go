package manage

import (
	"fmt"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// dummies are the entities of type dummy, which stand for nothing. compat: the
// management tests of upstream and of its tools work with them.
type dummies struct {
	all  []*dummy
	made int
}

// maxDummies bounds what clients can store here.
const maxDummies = 64

type dummy struct {
	name, identity string
	values         map[string]any // as config.Convert returns them
}

func (d *dummies) entities(t *config.Type) []entity {
	out := make([]entity, len(d.all))
	for i, x := range d.all {
		out[i] = entity{typ: t, name: x.name, identity: x.identity, dummy: x}
	}
	return out
}

func (d *dummies) create(t *config.Type, attributes amqp.Map) (any, error) {
	if len(d.all) == maxDummies {
		return nil, badRequest("more than %d entities of type dummy", maxDummies)
	}
	x := &dummy{identity: fmt.Sprintf("dummy/%d", d.made), values: map[string]any{}}
	e := entity{typ: t, identity: x.identity, dummy: x}
	for _, p := range attributes {
		if err := e.setDummy(p); err != nil {
			return nil, err
		}
	}
	x.name = x.identity
	if name, ok := x.values["name"].(string); ok {
		x.name = name
	}
	if slices.ContainsFunc(d.all, func(y *dummy) bool { return x.name == y.name }) {
		return nil, badRequest("Name conflicts with an existing entity: %s %s", t.FullName(), x.name)
	}
	e.name = x.name
	d.made++
	d.all = append(d.all, x)
	return e.attributes(), nil
}

func (d *dummies) update(e *entity, attributes amqp.Map) (any, error) {
	before := maps.Clone(e.dummy.values)
	err := e.updateDummy(attributes)
	if err != nil {
		e.dummy.values = before
		return nil, err
	}
	return e.attributes(), nil
}

func (e *entity) updateDummy(attributes amqp.Map) error {
	for _, p := range attributes {
		name, _ := p.Key.(string)
		if e.unchanged(name, p.Value) {
			continue
		}
		if err := settable(e.typ, p, config.Update); err != nil {
			return err
		}
		if err := e.setDummy(p); err != nil {
			return err
		}
	}
	return nil
}

func (d *dummies) delete(e *entity) {
	d.all = slices.DeleteFunc(d.all, func(x *dummy) bool { return x == e.dummy })
}

func (e *entity) setDummy(p amqp.Pair) error {
	name, _ := p.Key.(string)
	if p.Value == nil {
		delete(e.dummy.values, name)
		return nil
	}
	v, err := config.Convert(e.typ.Attribute(name), fromAMQP(p.Value))
	if err != nil {
		return badRequest("Invalid value for '%s': %v", name, err)
	}
	e.dummy.values[name] = v
	return nil
}
