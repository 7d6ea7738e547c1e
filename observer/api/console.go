package api

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
)

// Directory serves the files of a console that stands in a directory, such as a
// build of upstream's. Nothing outside of it is served, not by links either, and
// no list of what is there.
func Directory(dir string) (http.Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if _, err := root.Stat("index.html"); err != nil {
		_ = root.Close() // read only
		return nil, fmt.Errorf("console %s: %w", dir, err)
	}
	files := http.FileServerFS(root.FS())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// compat: what upstream's console was built for.
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		w.Header().Set("Content-Security-Policy", "default-src 'self';")
		if strings.HasSuffix(r.URL.Path, "/") {
			name := strings.TrimPrefix(path.Join(r.URL.Path, "index.html"), "/")
			if stat, err := fs.Stat(root.FS(), name); err != nil || stat.IsDir() {
				http.NotFound(w, r)
				return
			}
		}
		files.ServeHTTP(w, r)
	}), nil
}
