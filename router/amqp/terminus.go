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
func (f *fields) source() *Source {
	if !f.present("source", optional) {
		return nil
	}
	if c := f.d.descriptor(); c != CodeSource {
		f.d.failf("attach: field source has descriptor %#x", c)
		return nil
	}
	s := new(Source)
	g := f.d.list("source")
	s.Address = g.address()
	s.Durable = g.uint("durable", optional, 0)
	s.ExpiryPolicy = g.symbol("expiry-policy", optional)
	s.Timeout = g.uint("timeout", optional, 0)
	s.Dynamic = g.bool("dynamic", false)
	s.DynamicNodeProperties = g.mapping("dynamic-node-properties")
	s.DistributionMode = g.symbol("distribution-mode", optional)
	s.Filter = g.mapping("filter")
	s.DefaultOutcome = g.value("default-outcome")
	s.Outcomes = g.symbols("outcomes")
	s.Capabilities = g.symbols("capabilities")
	f.d.close(&g)
	return s
}

// target reads the target of an attach; nil stands for null. A transaction
// coordinator, AMQP 1.0 §4.5.1, is recognised and passed over.
func (f *fields) target() (t *Target, coordinator bool) {
	if !f.present("target", optional) {
		return nil, false
	}
	switch c := f.d.descriptor(); c {
	case CodeTarget:
	case CodeCoordinator:
		f.d.skip()
		return nil, true
	default:
		f.d.failf("attach: field target has descriptor %#x", c)
		return nil, false
	}
	t = new(Target)
	g := f.d.list("target")
	t.Address = g.address()
	t.Durable = g.uint("durable", optional, 0)
	t.ExpiryPolicy = g.symbol("expiry-policy", optional)
	t.Timeout = g.uint("timeout", optional, 0)
	t.Dynamic = g.bool("dynamic", false)
	t.DynamicNodeProperties = g.mapping("dynamic-node-properties")
	t.Capabilities = g.symbols("capabilities")
	f.d.close(&g)
	return t, false
}
