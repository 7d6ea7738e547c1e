package conn

import (
	"crypto/tls"
	"slices"
	"testing"
)

func TestParseCiphers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]uint16{
		"":                                      nil,
		"ECDHE-RSA-AES128-GCM-SHA256":           {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		"ECDHE+AESGCM:!ECDSA":                   {tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		"AES128-SHA:AES128:-ECDHE:-SHA256":      {tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		"!AES128:RSA+AES:@STRENGTH":             {tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_256_CBC_SHA},
		"TLS_AES_128_GCM_SHA256":                {},
	} {
		got, err := ParseCiphers(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %x, %v, want %x", text, got, err, want)
		}
	}
	for _, text := range []string{"Blah", "HIGH:!ALL", "!HIGH"} {
		if got, err := ParseCiphers(text); err == nil {
			t.Errorf("%q: got %x", text, got)
		}
	}
}
