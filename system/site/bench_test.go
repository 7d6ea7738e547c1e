package site

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/system/resource"
)

// BenchmarkThousands loads and builds a site of 1,000 listeners and 1,000
// connectors in one file: what a start costs before anything is rendered.
func BenchmarkThousands(b *testing.B) {
	var text strings.Builder
	text.WriteString(openDoc)
	for n := range 1000 {
		text.WriteString(doc("Listener", fmt.Sprint("l", n), fmt.Sprintf("routingKey: k%d, host: 127.0.0.1, port: %d", n, 10000+n)))
		text.WriteString(doc("Connector", fmt.Sprint("c", n), fmt.Sprintf("routingKey: k%d, host: 10.0.0.1, port: %d", n, 20000+n)))
	}
	files := []resource.Input{{Name: "f.yaml", Data: []byte(text.String())}}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := resource.Parse(files); err != nil {
				b.Fatal(err)
			}
		}
	})
	set, _, err := resource.Parse(files)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := Build(set, host()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
