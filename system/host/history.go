package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// generationsKept is how many snapshots of earlier inputs are kept.
const generationsKept = 3

// KeepSnapshot keeps the snapshot of the generation in effect as a compressed
// tar file in the history of the namespace. Older ones go.
func (n *Namespace) KeepSnapshot(ctx context.Context, generation int64) error {
	if _, err := os.Stat(n.paths.Snapshot()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	const suffix = ".tar.gz"
	name := strconv.FormatInt(generation, 10)
	if err := writeArchive(ctx, filepath.Join(n.paths.History(), name+suffix), n.paths.Snapshot(), name, nil); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	entries, err := os.ReadDir(n.paths.History())
	if err != nil {
		return err
	}
	var kept []int64
	for _, e := range entries {
		if text, ok := strings.CutSuffix(e.Name(), suffix); ok {
			if g, err := strconv.ParseInt(text, 10, 64); err == nil {
				kept = append(kept, g)
			}
		}
	}
	slices.Sort(kept)
	for _, g := range kept[:max(0, len(kept)-generationsKept)] {
		if err := os.Remove(filepath.Join(n.paths.History(), strconv.FormatInt(g, 10)+suffix)); err != nil {
			return err
		}
	}
	return nil
}
