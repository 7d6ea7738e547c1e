package host

import (
	"fmt"
	"testing"

	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// BenchmarkOneOfMany changes one resource of 4,000 files.
func BenchmarkOneOfMany(b *testing.B) {
	r := newRig(b.TempDir())
	want := scenario(r, 1)
	file := func(n, text int) (string, state.File) {
		return r.paths.RuntimeResource("Listener", fmt.Sprint(n)), state.File{Data: fmt.Append(nil, text), Mode: 0o600, Subject: state.SubjectResources, Record: true}
	}
	for n := range 4000 {
		path, f := file(n, 0)
		want.Files[path] = f
	}
	if _, err := r.converge(b.Context(), want); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		path, f := file(7, n)
		want.Files[path] = f
		if steps, err := r.converge(b.Context(), want); err != nil || len(steps) != 1 {
			b.Fatalf("%v, %v", plan.Lines(steps), err)
		}
	}
}
