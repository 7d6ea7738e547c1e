package vanflow

// Type is the type of a record, attribute 0.
type Type uint32

// Record types. compat: upstream's collectors drop a whole message that holds
// one of the types 8 to 12, or one above 17; never send those.
const (
	TypeSite         Type = 0
	TypeRouter       Type = 1
	TypeLink         Type = 2
	TypeController   Type = 3
	TypeListener     Type = 4
	TypeConnector    Type = 5
	TypeFlow         Type = 6 // of Skupper v1
	TypeProcess      Type = 7
	TypeImage        Type = 8
	TypeIngress      Type = 9
	TypeEgress       Type = 10
	TypeCollector    Type = 11
	TypeProcessGroup Type = 12
	TypeHost         Type = 13
	TypeLog          Type = 14
	TypeRouterAccess Type = 15
	TypeBiflowTport  Type = 16
	TypeBiflowApp    Type = 17
	maxType               = TypeBiflowApp
)

// String returns the name of the type as routers log it.
func (t Type) String() string {
	names := [...]string{
		"SITE", "ROUTER", "LINK", "CONTROLLER", "LISTENER", "CONNECTOR", "FLOW", "PROCESS", "IMAGE", "INGRESS", "EGRESS",
		"COLLECTOR", "PROCESS_GROUP", "HOST", "LOG", "ROUTER_ACCESS", "BIFLOW_TPORT", "BIFLOW_APP",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return "UNKNOWN"
}

// Code is the code of an attribute.
type Code uint32

// Attributes. Times are microseconds since the Unix epoch, latencies are
// microseconds, octets are of the application's payload.
const (
	AttrRecordType         Code = 0
	AttrIdentity           Code = 1
	AttrParent             Code = 2 // identity of the parent record
	AttrStartTime          Code = 3
	AttrEndTime            Code = 4 // 0 and absent mean live
	AttrCounterflow        Code = 5
	AttrPeer               Code = 6 // LINK: identity of the remote ROUTER_ACCESS
	AttrProcess            Code = 7 // CONNECTOR: identity of the PROCESS it leads to
	AttrSiblingOrdinal     Code = 8
	AttrLocation           Code = 9
	AttrProvider           Code = 10
	AttrPlatform           Code = 11
	AttrNamespace          Code = 12
	AttrMode               Code = 13
	AttrSourceHost         Code = 14
	AttrDestHost           Code = 15
	AttrProtocol           Code = 16
	AttrSourcePort         Code = 17 // text
	AttrDestPort           Code = 18 // text
	AttrVanAddress         Code = 19 // routing key
	AttrImageName          Code = 20
	AttrImageVersion       Code = 21
	AttrHostname           Code = 22
	AttrOctets             Code = 23 // client to server; LINK: sent by the connector side
	AttrLatency            Code = 24 // listener side: first octet in to first octet out; LINK (of ours): to the peer's host and back
	AttrTransitLatency     Code = 25
	AttrBacklog            Code = 26
	AttrMethod             Code = 27
	AttrResult             Code = 28
	AttrReason             Code = 29
	AttrName               Code = 30
	AttrTrace              Code = 31 // routers passed, joined by "|"
	AttrBuildVersion       Code = 32
	AttrLinkCost           Code = 33
	AttrDirection          Code = 34
	AttrOctetRate          Code = 35
	AttrOctetsOut          Code = 36
	AttrOctetsUnacked      Code = 37
	AttrWindowClosures     Code = 38
	AttrWindowSize         Code = 39
	AttrFlowCountL4        Code = 40 // connections since the record began
	AttrFlowCountL7        Code = 41
	AttrFlowRateL4         Code = 42
	AttrFlowRateL7         Code = 43
	AttrDuration           Code = 44 // LINK, ROUTER_ACCESS (of ours): from the start time until the certificate that this side shows ends
	AttrImage              Code = 45
	AttrGroup              Code = 46 // PROCESS: component name
	AttrStreamID           Code = 47
	AttrLogSeverity        Code = 48
	AttrLogText            Code = 49
	AttrSourceFile         Code = 50
	AttrSourceLine         Code = 51
	AttrLinkCount          Code = 52
	AttrOperStatus         Code = 53 // "up" or "down"
	AttrRole               Code = 54
	AttrUpTimeStamp        Code = 55
	AttrDownTimeStamp      Code = 56
	AttrDownCount          Code = 57
	AttrOctetsReverse      Code = 58 // server to client; LINK: received by the connector side
	AttrOctetRateReverse   Code = 59
	AttrConnector          Code = 60 // BIFLOW_TPORT: identity of the CONNECTOR
	AttrProcessLatency     Code = 61 // connector side: first octet out to first octet in
	AttrProxyHost          Code = 62
	AttrProxyPort          Code = 63
	AttrErrorListenerSide  Code = 64
	AttrErrorConnectorSide Code = 65
	AttrActiveTLSOrdinal   Code = 66
	AttrHTTPProxy          Code = 67
	maxCode                     = AttrHTTPProxy
)

// numbers has a bit for every attribute below 64 that is a number.
const numbers = 1<<AttrRecordType | 1<<AttrStartTime | 1<<AttrEndTime | 1<<AttrSiblingOrdinal | 1<<AttrOctets | 1<<AttrLatency |
	1<<AttrTransitLatency | 1<<AttrBacklog | 1<<AttrLinkCost | 1<<AttrOctetRate | 1<<AttrOctetsOut | 1<<AttrOctetsUnacked |
	1<<AttrWindowClosures | 1<<AttrWindowSize | 1<<AttrFlowCountL4 | 1<<AttrFlowCountL7 | 1<<AttrFlowRateL4 | 1<<AttrFlowRateL7 |
	1<<AttrDuration | 1<<AttrStreamID | 1<<AttrLogSeverity | 1<<AttrSourceLine | 1<<AttrLinkCount | 1<<AttrUpTimeStamp |
	1<<AttrDownTimeStamp | 1<<AttrDownCount | 1<<AttrOctetsReverse | 1<<AttrOctetRateReverse | 1<<AttrProcessLatency

// IsNumber reports whether the attribute is a number; otherwise it is text.
func (c Code) IsNumber() bool {
	return c < 64 && numbers>>c&1 != 0 || c == AttrActiveTLSOrdinal
}

// known reports whether there is such an attribute.
func (c Code) known() bool { return c <= maxCode }

// String returns the name of the attribute as routers log it.
func (c Code) String() string {
	if c.known() {
		return codeNames[c]
	}
	return "unknown"
}

var codeNames = [maxCode + 1]string{
	"recordType", "identity", "parent", "startTime", "endTime", "counterflow", "peer", "process", "sibOrdinal", "location", "provider",
	"platform", "namespace", "mode", "sourceHost", "destHost", "protocol", "sourcePort", "destPort", "vanAddress", "imageName",
	"imageVersion", "hostname", "octets", "latency", "transitLatency", "backlog", "method", "result", "reason", "name", "trace",
	"buildVersion", "linkCost", "direction", "octetRate", "octetsOut", "octetsUnacked", "windowClosures", "windowSize", "flowCountL4",
	"flowCountL7", "flowRateL4", "flowRateL7", "duration", "image", "group", "streamId", "logSeverity", "logText", "sourceFile",
	"sourceLine", "linkCount", "operStatus", "role", "upTimeStamp", "downTimeStamp", "downCount", "octetsReverse", "octetRateReverse",
	"connector", "processLatency", "proxyHost", "proxyPort", "errorListenerSide", "errorConnectorSide", "activeTlsOrdinal", "httpProxy",
}
