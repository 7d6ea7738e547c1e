package amqp

// Append appends the performative.
func (x *Open) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeOpen)
	l.textAlways(x.ContainerID)
	l.text(x.Hostname)
	l.uintIf(x.MaxFrameSize != 0 && x.MaxFrameSize != DefaultMaxFrameSize, x.MaxFrameSize)
	l.ushortIf(x.ChannelMax != DefaultChannelMax, x.ChannelMax)
	l.uintIf(x.IdleTimeOut != 0, x.IdleTimeOut)
	l.symbols(x.OutgoingLocales)
	l.symbols(x.IncomingLocales)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Open) decodeFields(d *decoder) {
	f := d.list("open")
	x.ContainerID = f.text("container-id", mandatory)
	x.Hostname = f.text("hostname", optional)
	x.MaxFrameSize = f.uint("max-frame-size", optional, DefaultMaxFrameSize)
	x.ChannelMax, _ = f.ushort("channel-max", DefaultChannelMax)
	x.IdleTimeOut = f.uint("idle-time-out", optional, 0)
	x.OutgoingLocales = f.symbols("outgoing-locales")
	x.IncomingLocales = f.symbols("incoming-locales")
	x.OfferedCapabilities = f.symbols("offered-capabilities")
	x.DesiredCapabilities = f.symbols("desired-capabilities")
	x.Properties = f.mapping("properties")
	d.close(&f)
	if x.MaxFrameSize < MinMaxFrameSize {
		d.fail(invalidFieldf("open: max-frame-size %d, at least %d octets are required", x.MaxFrameSize, MinMaxFrameSize))
	}
}

// Append appends the performative.
func (x *Begin) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeBegin)
	l.ushortIf(x.HasRemoteChannel, x.RemoteChannel)
	l.uint(x.NextOutgoingID)
	l.uint(x.IncomingWindow)
	l.uint(x.OutgoingWindow)
	l.uintIf(x.HandleMax != DefaultHandleMax, x.HandleMax)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Begin) decodeFields(d *decoder) {
	f := d.list("begin")
	x.RemoteChannel, x.HasRemoteChannel = f.ushort("remote-channel", 0)
	x.NextOutgoingID = f.uint("next-outgoing-id", mandatory, 0)
	x.IncomingWindow = f.uint("incoming-window", mandatory, 0)
	x.OutgoingWindow = f.uint("outgoing-window", mandatory, 0)
	x.HandleMax = f.uint("handle-max", optional, DefaultHandleMax)
	x.OfferedCapabilities = f.symbols("offered-capabilities")
	x.DesiredCapabilities = f.symbols("desired-capabilities")
	x.Properties = f.mapping("properties")
	d.close(&f)
}

// Append appends the performative. Settle modes and max-message-size are
// written also when they have their default, as proton does (compat:).
func (x *Attach) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeAttach)
	l.textAlways(x.Name)
	l.uint(x.Handle)
	l.bool(bool(x.Role))
	l.ubyte(x.SndSettleMode)
	l.ubyte(x.RcvSettleMode)
	l.source(x.Source)
	l.target(x.Target)
	l.mapping(x.Unsettled)
	l.boolIfTrue(x.IncompleteUnsettled)
	l.uintIf(x.HasInitialDeliveryCount, x.InitialDeliveryCount)
	l.ulong(x.MaxMessageSize)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Attach) decodeFields(d *decoder) {
	f := d.list("attach")
	x.Name = f.text("name", mandatory)
	x.Handle = f.uint("handle", mandatory, 0)
	x.Role = f.role()
	x.SndSettleMode = f.ubyte("snd-settle-mode", optional, SndMixed)
	x.RcvSettleMode = f.ubyte("rcv-settle-mode", optional, RcvFirst)
	x.Source = f.source()
	x.Target, x.Coordinator = f.target()
	x.Unsettled = f.mapping("unsettled")
	x.IncompleteUnsettled = f.bool("incomplete-unsettled", false)
	x.InitialDeliveryCount, x.HasInitialDeliveryCount = f.uintIf("initial-delivery-count", optional)
	x.MaxMessageSize = f.ulong("max-message-size", optional, 0)
	x.OfferedCapabilities = f.symbols("offered-capabilities")
	x.DesiredCapabilities = f.symbols("desired-capabilities")
	x.Properties = f.mapping("properties")
	d.close(&f)
	if x.SndSettleMode > SndMixed || x.RcvSettleMode > RcvSecond {
		d.fail(invalidFieldf("attach: settle modes %d and %d", x.SndSettleMode, x.RcvSettleMode))
	}
}

// Append appends the performative. Closed is left out when it is false.
func (x *Detach) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeDetach)
	l.uint(x.Handle)
	l.boolIfTrue(x.Closed)
	l.err(x.Error)
	return l.end()
}

func (x *Detach) decodeFields(d *decoder) {
	f := d.list("detach")
	x.Handle = f.uint("handle", mandatory, 0)
	x.Closed = f.bool("closed", false)
	x.Error = f.err("error")
	d.close(&f)
}

// Append appends the performative.
func (x *End) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeEnd)
	l.err(x.Error)
	return l.end()
}

func (x *End) decodeFields(d *decoder) {
	f := d.list("end")
	x.Error = f.err("error")
	d.close(&f)
}

// Append appends the performative.
func (x *Close) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeClose)
	l.err(x.Error)
	return l.end()
}

func (x *Close) decodeFields(d *decoder) {
	f := d.list("close")
	x.Error = f.err("error")
	d.close(&f)
}
