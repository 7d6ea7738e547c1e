//go:build !race

// Under the race detector these would try Chromium, and not us.

package console

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what a test waits for: much
// longer than it does, because other tests run beside it.
const patience = time.Minute

// startBrowser starts the one Chromium of a test; it ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no chromium (make test-deps installs it)")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), // root has no sandbox
		chromedp.DisableGPU, chromedp.Flag("force-color-profile", "srgb"), chromedp.WSURLReadTimeout(patience))
	starting, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, end := chromedp.NewContext(starting)
	t.Cleanup(func() {
		end()
		stop()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	return browser
}

// tab is one page of the browser, and all that it complained of.
type tab struct {
	t   *testing.T
	ctx context.Context
	at  string // address of the server

	// Guarded by mu.
	mu         sync.Mutex
	complaints []string
	outside    []string
}

// view opens an empty tab on what server serves.
func view(t *testing.T, browser context.Context, server *observed, width, height int64) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	p := &tab{t: t, ctx: ctx, at: server.URL}
	if err := chromedp.Listen(ctx, p.heard); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, height))
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"})
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	if server.scene != nil { // where time stands still
		call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf("Date.now = () => %d", uint64(now/1000))})
	}
	return p
}

// within is the time that one step of a test may take.
func (p *tab) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, patience)
}

func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, end := p.within()
	defer end()
	got, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return got
}

// heard notes what a user of the browser's console would see, and whom the
// page asks but the server.
func (p *tab) heard(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, e.ExceptionDetails.Text)
		if e.ExceptionDetails.Exception != nil {
			p.complaints = append(p.complaints, e.ExceptionDetails.Exception.Description)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			p.complaints = append(p.complaints, fmt.Sprint("console: ", string(e.Args[0].Value), e.Args[0].Description))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complaints = append(p.complaints, fmt.Sprint(e.Entry.Source, ": ", e.Entry.Text, " ", e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || "http://"+u.Host != p.at && u.Scheme != "about" {
			p.outside = append(p.outside, e.Request.URL)
		}
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, end := p.within()
	defer end()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval is the value of an expression, of a promise when it has come.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, end := p.within()
	defer end()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// open loads a page by its address behind the #.
func (p *tab) open(hash string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.at+"/#"+hash), chromedp.WaitReady(chromedp.CSS("#title")))
}

// text is what main shows now.
func (p *tab) text() string {
	p.t.Helper()
	return eval[string](p, `document.querySelector('main').innerText`)
}

// until waits for a condition in JavaScript.
func (p *tab) until(condition string) {
	p.t.Helper()
	ctx, end := p.within()
	defer end()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](condition, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0))); err != nil {
		p.t.Fatalf("%s: never true (%v); the page is %s, the focus on %s; it says\n%s", condition, err,
			eval[string](p, "location.href"), eval[string](p, "document.activeElement.outerHTML.slice(0, 200)"), p.text())
	}
}

// says waits for all texts to be shown.
func (p *tab) says(texts ...string) {
	p.t.Helper()
	for _, s := range texts {
		p.until(fmt.Sprintf("document.querySelector('main')?.innerText.includes(%q)", s))
	}
}

// quiet reports what the browser complained of.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) > 0 {
		p.t.Errorf("the browser complains:\n%s", strings.Join(p.complaints, "\n"))
	}
	if len(p.outside) > 0 {
		p.t.Errorf("asked of somebody else: %s", strings.Join(p.outside, " "))
	}
}
