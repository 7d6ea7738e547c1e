package amqp

// Descriptors of message sections, AMQP 1.0 §3.2, and of the section that
// routers put in front of them (compat: skupper-router 3.x, "SKPR--RA").
const (
	sectionHeader                uint64 = 0x70
	sectionDeliveryAnnotations   uint64 = 0x71
	sectionMessageAnnotations    uint64 = 0x72
	sectionProperties            uint64 = 0x73
	sectionApplicationProperties uint64 = 0x74
	sectionData                  uint64 = 0x75
	sectionSequence              uint64 = 0x76
	sectionValue                 uint64 = 0x77
	sectionFooter                uint64 = 0x78
	sectionRouterAnnotations     uint64 = 0x534b50522d2d5241
)
