//go:build !race

package console

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "directory for pictures of the console")

// TestPictures makes the pictures of docs/console.md: make pictures.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("no -pictures: make pictures makes them")
	}
	browser := startBrowser(t)
	for _, c := range []struct {
		name, hash, theme string
		scene             *made
		width, height     int64
		wait              string
	}{
		{"network", "/network?site=" + siteID(2), "light", cut(), 1280, 860, "no such host"},
		{"huge", "/network", "light", grow(100, 1000, 200), 1280, 860, "site-042"},
		{"services", "/services", "light", normal(), 1280, 700, "orders-api"},
		{"service", "/services/adr-0000", "light", normal(), 1280, 980, "median"},
		{"connections", "/connections", "light", normal(), 1280, 860, "Failed"},
		{"charts", "/charts", "dark", normal(), 1280, 980, "median"},
		{"phone", "/network", "light", cut(), 360, 1100, "no such host"},
	} {
		server := observe(t, c.scene)
		p := view(t, browser, server, c.width, c.height)
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.theme}}})
		p.open(c.hash)
		p.says(c.wait)
		p.until("document.fonts.status === 'loaded' && !document.querySelector('.loading')")
		eval[any](p, "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")
		png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*pictures, c.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
		p.quiet()
	}
}
