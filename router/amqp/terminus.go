package amqp

// source writes nil as null.
func (l *listWriter) source(s *Source) {
	if s == nil {
		l.null()
		return
	}
	t := beginDescribedList(l.buf, CodeSource)
	t.value(s.Address)
	t.uint(s.Durable)
	t.symbol(s.ExpiryPolicy)
	t.uint(s.Timeout)
	t.bool(s.Dynamic)
	t.mapping(s.DynamicNodeProperties)
	t.symbol(s.DistributionMode)
	t.mapping(s.Filter)
	t.value(s.DefaultOutcome)
	t.symbols(s.Outcomes)
	t.bareSymbols(s.Capabilities)
	l.buf = t.end()
	l.done()
}

// target writes nil as null.
func (l *listWriter) target(s *Target) {
	if s == nil {
		l.null()
		return
	}
	t := beginDescribedList(l.buf, CodeTarget)
	t.value(s.Address)
	t.uint(s.Durable)
	t.symbol(s.ExpiryPolicy)
	t.uint(s.Timeout)
	t.bool(s.Dynamic)
	t.mapping(s.DynamicNodeProperties)
	t.bareSymbols(s.Capabilities)
	l.buf = t.end()
	l.done()
}

// source reads the source of an attach; nil stands for null.
func (d *decoder) source() *Source {
	if !d.present("source", optional) {
		return nil
	}
	if c := d.descriptor(); c != CodeSource {
		d.failf("attach: field source has descriptor %#x", c)
		return nil
	}
	s := new(Source)
	outer := d.list("source")
	s.Address = d.address()
	s.Durable = d.uint("durable", optional, 0)
	s.ExpiryPolicy = d.symbol("expiry-policy", optional)
	s.Timeout = d.uint("timeout", optional, 0)
	s.Dynamic = d.bool("dynamic")
	s.DynamicNodeProperties = d.mapping("dynamic-node-properties")
	s.DistributionMode = d.symbol("distribution-mode", optional)
	s.Filter = d.mapping("filter")
	s.DefaultOutcome = d.anything("default-outcome")
	s.Outcomes = d.symbols("outcomes")
	s.Capabilities = d.symbols("capabilities")
	d.close(outer)
	return s
}

// target reads the target of an attach; nil stands for null. A transaction
// coordinator, AMQP 1.0 §4.5.1, is recognised and passed over.
func (d *decoder) target() (t *Target, coordinator bool) {
	if !d.present("target", optional) {
		return nil, false
	}
	switch c := d.descriptor(); c {
	case CodeTarget:
	case CodeCoordinator:
		d.skip()
		return nil, true
	default:
		d.failf("attach: field target has descriptor %#x", c)
		return nil, false
	}
	t = new(Target)
	outer := d.list("target")
	t.Address = d.address()
	t.Durable = d.uint("durable", optional, 0)
	t.ExpiryPolicy = d.symbol("expiry-policy", optional)
	t.Timeout = d.uint("timeout", optional, 0)
	t.Dynamic = d.bool("dynamic")
	t.DynamicNodeProperties = d.mapping("dynamic-node-properties")
	t.Capabilities = d.symbols("capabilities")
	d.close(outer)
	return t, false
}
