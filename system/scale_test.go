package system

import (
	"testing"

	"github.com/skupper-host/skupper/system/api"
)

// BenchmarkOneChangeAmongThousands changes one of 1,000 listeners.
func BenchmarkOneChangeAmongThousands(b *testing.B) {
	m, o := newMachinery(b)
	a := agentOf(b, m, o)
	if _, err := a.Apply(b.Context(), "west", api.ApplyRequest{Files: []api.File{many(1000)}, Start: true}); err != nil {
		b.Fatal(err)
	}
	port := 40000
	for b.Loop() {
		port++
		_, err := a.Patch(b.Context(), "west", api.PatchRequest{
			Object: api.Ref{Kind: "Listener", Name: "l5"}, Fields: map[string]any{"spec.port": port},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApplyThousands applies 1,000 listeners and 1,000 connectors to a
// namespace that does not exist yet.
func BenchmarkApplyThousands(b *testing.B) {
	for b.Loop() {
		m, o := newMachinery(b)
		a := agentOf(b, m, o)
		if _, err := a.Apply(b.Context(), "west", api.ApplyRequest{Files: []api.File{many(1000)}, Start: true}); err != nil {
			b.Fatal(err)
		}
	}
}
