package amqp

// The Go types of AMQP values, AMQP 1.0 §1.6, as they appear in an any:
//
//	null     nil         ubyte  uint8      byte  int8       float   float32
//	boolean  bool        ushort uint16     short int16      double  float64
//	string   string      uint   uint32     int   int32      char    Char
//	symbol   Symbol      ulong  uint64     long  int64      binary  []byte
//	list     List        map    Map        uuid  UUID       timestamp Timestamp
//	array of symbol []Symbol, any other array Array, described value Described
//	decimal32, decimal64, decimal128: Decimal, opaque octets

// Symbol is an AMQP symbol: an ASCII name from a closed vocabulary.
type Symbol string

// Timestamp is an AMQP timestamp in milliseconds since the Unix epoch.
type Timestamp int64

// Char is an AMQP char: one Unicode code point.
type Char rune

// UUID is an AMQP uuid, RFC 4122 §4.1.2 order.
type UUID [16]byte

// Decimal holds the octets of a decimal32, decimal64 or decimal128 (4, 8 or 16
// of them). Nothing here computes with it; it is passed on unchanged.
type Decimal string

// List is an AMQP list.
type List []any

// Array is an AMQP array whose elements are not symbols. All elements have the
// same type. An empty array is written as an array of null.
type Array []any

// Pair is one entry of a Map.
type Pair struct {
	Key   any
	Value any
}

// Map is an AMQP map. It keeps the order of the wire.
type Map []Pair

// Get returns the value of the first entry whose key is the string or the
// symbol key, nil if there is none.
func (m Map) Get(key string) any {
	for i := range m {
		switch k := m[i].Key.(type) {
		case string:
			if k == key {
				return m[i].Value
			}
		case Symbol:
			if string(k) == key {
				return m[i].Value
			}
		}
	}
	return nil
}

// Described is a value with a descriptor, AMQP 1.0 §1.1.2. The descriptor is a
// uint64 or a Symbol in all defined types.
type Described struct {
	Descriptor any
	Value      any
}
