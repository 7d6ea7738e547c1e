package amqp

// Descriptors of message sections, AMQP 1.0 §3.2, for AppendDescriptor, and of
// the section that routers put in front of them (compat: skupper-router 3.x,
// "SKPR--RA").
const (
	SectionHeader                uint64 = 0x70
	SectionDeliveryAnnotations   uint64 = 0x71
	SectionMessageAnnotations    uint64 = 0x72
	SectionProperties            uint64 = 0x73
	SectionApplicationProperties uint64 = 0x74
	SectionData                  uint64 = 0x75
	SectionSequence              uint64 = 0x76
	SectionValue                 uint64 = 0x77
	SectionFooter                uint64 = 0x78
	SectionRouterAnnotations     uint64 = 0x534b50522d2d5241
)
