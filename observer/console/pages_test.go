//go:build !race

package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/skupper-host/skupper/observer/promql"
)

// shown is a page: its address, its title, and what it says where there is
// nothing and where there is something. Without a text for nothing, it is the
// page of one thing.
type shown struct{ hash, title, nothing, something string }

func allPages() []shown {
	return []shown{
		{"/network", "Network", "No site is known yet", "Links"},
		{"/network?view=components", "Network", "No components are known yet", "Component pairs"},
		{"/network?view=processes", "Network", "No processes are known yet", "Process pairs"},
		{"/sites", "Sites", "No sites", "kubernetes"},
		{"/services", "Services", "No services", "Bound"},
		{"/connections", "Connections", "No connections", "Failed"},
		{"/requests", "HTTP requests", "No HTTP requests", "GET"},
		{"/components", "Components", "No components", "clients of"},
		{"/processes", "Processes", "No processes", "site-client-"},
		{"/charts", "Charts", "Nothing in this time", "99 %"},
		{"/logs", "Router logs", "No log lines", "<b onclick=alert(1)>GET</b>"},
		{"/sources", "Event sources", "Nothing has been heard", "Live"},
		{"/sites/" + siteID(0), "", "", "Links from other sites"},
		{"/services/adr-0000", "", "", "Time to the first byte"},
		{"/services/adr-0000?tab=ends", "", "", "10.0.0.1:8080"},
		{"/services/adr-0000?tab=pairs", "", "", "Client’s site"},
		{"/services/adr-0000?tab=connections", "", "", "First byte"},
		{"/services/adr-0000?tab=requests", "", "", "Method"},
		{"/connections/conn:00001", "Connection conn:00001", "", "Path through the network"},
		{"/processes/proc-sadr-0000", "", "", "Its clients"},
		{"/components/pg-clients%20of%20orders-api", "clients of orders-api", "", "Servers that it connects to"},
	}
}

// TestConsole tries everything in one Chromium: starting one takes longer than
// most of what is tried.
func TestConsole(t *testing.T) {
	browser := startBrowser(t)
	for _, c := range []struct {
		name string
		try  func(*testing.T, context.Context)
	}{
		{"Functions", functions},
		{"Empty", everyPageOfNothing},
		{"Normal", everyPage},
		{"Phone", everyPageOnAPhone},
		{"Huge", hugeNetwork},
		{"DeadSource", deadSource},
		{"CutLink", cutLink},
		{"Filters", filtersInTheAddress},
		{"Keyboard", keyboard},
		{"Theme", theme},
		{"Live", liveView},
		{"Refused", refused},
		{"RealAPI", realAPI},
	} {
		t.Run(c.name, func(t *testing.T) { c.try(t, browser) })
	}
}

// turn goes to a page as a link does, and waits until it is all there.
func (p *tab) turn(to shown, text string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (location.hash = %q)", to.hash)))
	p.until(fmt.Sprintf(`document.querySelector('h1')?.innerText.includes(%q) && document.querySelector('main').innerText.includes(%q) && !document.querySelector('.loading')`, to.title, text))
}

func everyPageOfNothing(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, grow(0, 0, 0)), 1280, 800)
	p.open("/network")
	for _, page := range allPages() {
		if page.nothing != "" {
			p.turn(page, page.nothing)
		}
	}
	p.turn(shown{hash: "/sites/gone", title: "Site"}, "does not know this any more")
	p.turn(shown{hash: "/nonsense", title: "No such page"}, "Go to the network map")
	p.forgive("404") // the site that is gone
	p.quiet()
}

func everyPage(t *testing.T, browser context.Context) {
	server := observe(t, normal())
	p := view(t, browser, server, 1280, 800)
	p.open("/network")
	p.lookForBarriers()
	for _, page := range allPages() {
		p.turn(page, page.something)
		if !strings.Contains(page.hash, "tab=") { // whose tables are those of other pages
			p.barrierFree(page.hash)
		}
	}
	p.quiet()
	queries := map[string]bool{}
	for _, asked := range server.requested() {
		if u, err := url.Parse(asked); err == nil && strings.HasPrefix(u.Path, root+"internal/prom/") {
			queries[u.Query().Get("query")] = true
		}
	}
	if len(queries) < 10 {
		t.Errorf("only %d different queries of counters", len(queries))
	}
	for q := range queries {
		if _, err := promql.Parse(q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func everyPageOnAPhone(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, cut()), 360, 740)
	p.open("/network")
	p.lookForBarriers()
	for _, page := range allPages() {
		p.turn(page, page.something)
		if wide := eval[int](p, "document.documentElement.scrollWidth"); wide > 360 {
			t.Errorf("%s is %d wide on a phone of 360", page.hash, wide)
		}
	}
	p.barrierFree("the last page, on a phone")
	p.do(chromedp.Click(chromedp.CSS("header button[aria-controls=menu]")), chromedp.Click(chromedp.CSS("#menu a[href='#/services']")))
	p.says("orders-api")
	if open := eval[bool](p, "document.querySelector('#menu').offsetParent !== null"); open {
		t.Error("the menu covers the page that was chosen in it")
	}
	p.quiet()
}

func hugeNetwork(t *testing.T, browser context.Context) {
	server := observe(t, grow(100, 1000, 2000))
	p := view(t, browser, server, 1280, 800)
	p.open("/network")
	p.until("document.querySelectorAll('.node').length === 100")
	t.Logf("100 sites, 1,000 services: first paint after %.0f ms, map drawn after %.0f ms",
		eval[float64](p, "performance.getEntriesByName('first-contentful-paint')[0].startTime"), eval[float64](p, "performance.getEntriesByName('map-drawn')[0].startTime"))
	p.says("100", "1,000")
	p.turn(shown{hash: "/network?view=processes", title: "Network"}, "150 of 2,000 processes")
	p.until("document.querySelectorAll('.node').length === 150 && document.querySelectorAll('.edge').length === 75")
	p.turn(shown{hash: "/network?view=processes&name=service-0042", title: "Network"}, "service-0042")
	p.until("document.querySelectorAll('.node').length === 2 && document.querySelectorAll('.edge').length === 1") // and its client
	p.turn(shown{hash: "/services?page=40", title: "Services"}, "service-0999")
	p.turn(shown{hash: "/services?name=service-07&sort=name.desc", title: "Services"}, "service-0799")
	p.turn(shown{hash: "/connections", title: "Connections"}, "1–25 of")
	p.do(chromedp.Click(chromedp.CSS(".pages button:last-of-type")))
	p.says("26–50 of")
	for _, asked := range server.requested() {
		u, err := url.Parse(asked)
		if err != nil {
			t.Fatal(err)
		}
		resource := strings.TrimPrefix(u.Path, root)
		if limit := u.Query().Get("limit"); !strings.Contains(resource, "/") && limit == "" && !u.Query().Has("siteId") {
			t.Errorf("all of a list is asked for: %s", asked)
		}
	}
	p.quiet()
}

func deadSource(t *testing.T, browser context.Context) {
	server := observe(t, dead())
	p := view(t, browser, server, 1280, 800)
	p.open("/network")
	p.until(fmt.Sprintf(`document.querySelector('.node.silent')?.dataset.node === %q`, siteID(5)))
	if label := eval[string](p, "document.querySelector('.node.silent').getAttribute('aria-label')"); !strings.Contains(label, "its routers are silent") {
		t.Errorf("a silent site is called %q", label)
	}
	if n := eval[int](p, "document.querySelectorAll('.node.silent').length"); n != 1 {
		t.Errorf("%d sites are silent, want 1", n)
	}
	p.turn(shown{hash: "/sites", title: "Sites"}, "Silent")
	p.turn(shown{hash: "/sites/" + siteID(5), title: "lisbon"}, "Silent")
	p.turn(shown{hash: "/sources", title: "Event sources"}, "3 min ago")
	const banner = "document.querySelector('main > .no-router[role=alert]')"
	p.until("!" + banner)
	server.show(lost())
	p.until(banner + "?.innerText.includes('for 4 min;') && " + banner + ".innerText.includes('router.sock: connection refused')")
	p.says("3 min ago") // what was known stays
	p.lookForBarriers()
	p.barrierFree("a page without a router")
	server.show(dead())
	p.until("!" + banner)
	p.quiet()
}

func cutLink(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, cut()), 1280, 800)
	p.open("/network")
	p.says("dial frankfurt.example.net:55671: connection refused", "lookup berlin.example.net: no such host", "4 min", "3×", "berlin.example.net:55671")
	for selector, want := range map[string]int{".edge.down": 2, ".edge.up": 7, ".edge.down .mark.bad": 2, ".node.open": 1} {
		if got := eval[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != want {
			t.Errorf("%d of %s, want %d", got, selector, want)
		}
	}
	p.turn(shown{hash: "/network?status=down", title: "Network"}, "Links 2")
	p.turn(shown{hash: "/network?site=" + siteID(0), title: "Network"}, "from madrid")
	p.turn(shown{hash: "/sites", title: "Sites"}, "1 down")
	p.turn(shown{hash: "/sites/" + siteID(0), title: "frankfurt"}, "connection refused") // a link that others dial
	p.quiet()
}

func filtersInTheAddress(t *testing.T, browser context.Context) {
	server := observe(t, normal())
	p := view(t, browser, server, 1280, 800)
	const address = "/connections?state=terminated&routingKey=orders&sort=octetCount.desc"
	p.open(address)
	p.says("orders-api")
	restored := eval[string](p, `[document.querySelector('[name=state]').value, document.querySelector('[name=routingKey]').value, document.querySelector('[aria-sort=descending]').innerText].join(' ')`)
	if !strings.HasPrefix(restored, "terminated orders Sent") {
		t.Errorf("restored from the address: %q", restored)
	}
	if text := p.text(); strings.Contains(text, "postgres") {
		t.Errorf("a filter of the address does not filter:\n%s", text)
	}
	asked := slices.ContainsFunc(server.requested(), func(s string) bool {
		u, err := url.Parse(s)
		q := u.Query()
		return err == nil && u.Path == root+"connections" && q.Get("state") == "terminated" && q.Get("routingKey") == "orders" && q.Get("sortBy") == "octetCount.desc" && q.Get("limit") == "25"
	})
	if !asked {
		t.Errorf("the server is not asked to filter: %q", server.requested())
	}
	p.do(chromedp.Navigate("about:blank"))
	p.open("/services?page=2")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=name]"), "gra"))
	p.until(`location.hash === '#/services?name=gra'`) // and the page is the first again
	p.says("grafana")
	p.until(`!document.querySelector('main').innerText.includes('postgres')`)
	p.until(`document.querySelector('[role=status]').innerText === 'Services: 1'`) // is read aloud
	p.do(chromedp.Reload())
	p.until(`document.querySelector('[name=name]')?.value === 'gra'`)
	p.says("grafana") // and nothing moves any more under the pointer
	p.do(chromedp.Click(chromedp.CSS(".clear")))
	p.says("postgres")
	p.until(`location.hash === '#/services'`)
	p.quiet()
}

func keyboard(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, cut()), 1280, 800)
	p.open("/network")
	p.until("document.querySelectorAll('.node').length > 8")
	focus := func(want string) {
		t.Helper()
		p.until(fmt.Sprintf("document.activeElement.matches(%q)", want))
	}
	press := func(keys string) {
		t.Helper()
		p.do(chromedp.KeyEvent(keys))
	}
	press(kb.Tab)
	focus(".skip")
	press(kb.Enter)
	focus("#main")
	// A key of the protocol is two events, and only the first can be stopped.
	p.do(chromedp.Evaluate[chromedp.Void](`void document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true, cancelable: true }))`))
	focus("[name=name]")
	press(kb.Tab)
	press(kb.Tab)
	focus(".node")
	first := eval[string](p, "document.activeElement.dataset.node")
	for _, way := range []string{kb.ArrowRight, kb.ArrowLeft, kb.ArrowDown, kb.ArrowUp} {
		press(way)
		focus(".node")
	}
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void document.querySelector('[data-node=%q]').focus()", first)))
	press(kb.Enter)
	p.until("document.querySelector('.side') !== null && location.hash.includes('site=')")
	if stops := eval[int](p, "document.querySelectorAll('.node[tabindex=\"0\"]').length"); stops != 1 {
		t.Errorf("Tab stops at %d nodes of the map, want 1", stops)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("void [...document.querySelectorAll('.sort')].find(b => b.innerText.startsWith('Cost')).focus()"))
	press(kb.Enter)
	p.until("document.querySelector('[aria-sort=descending]')?.innerText.startsWith('Cost')")
	press(" ")
	p.until("document.querySelector('[aria-sort=ascending]')?.innerText.startsWith('Cost') && document.activeElement.matches('.sort')")
	p.do(chromedp.Evaluate[chromedp.Void]("void document.querySelector('#menu a[href=\"#/services\"]').focus()"))
	press(kb.Enter)
	focus("h1")
	p.until("document.title.startsWith('Services')")
	p.quiet()
}

func theme(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, cut()), 1280, 800)
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	p.open("/network")
	p.says("no such host")
	const ground = "getComputedStyle(document.body).backgroundColor"
	dark := eval[string](p, ground)
	p.lookForBarriers()
	p.barrierFree("the map, dark")
	for _, page := range []shown{{"/charts", "Charts", "", "99 %"}, {"/connections", "Connections", "", "Failed"}} {
		p.turn(page, page.something)
		p.barrierFree(page.hash + ", dark")
	}
	p.do(chromedp.Click(chromedp.CSS("[aria-label='Use the light theme']")))
	p.until(ground + " !== '" + dark + "'")
	light := eval[string](p, ground)
	p.do(chromedp.Reload())
	p.until("document.querySelector('h1') && " + ground + " === '" + light + "'") // the choice outlives the page
	p.quiet()
}

func liveView(t *testing.T, browser context.Context) {
	server := observe(t, normal())
	p := view(t, browser, server, 1280, 800)
	p.open("/network")
	p.until("document.querySelector('.live').innerText === 'Live'")
	p.do(chromedp.Evaluate[chromedp.Void]("void document.querySelector('[name=name]').focus()"))
	server.show(cut())
	p.says("no such host")
	if kept := eval[bool](p, "document.activeElement.name === 'name'"); !kept {
		t.Error("a refresh takes the focus from a field")
	}
	const hide = "void (Object.defineProperty(document, 'hidden', { value: %t, configurable: true }), document.dispatchEvent(new Event('visibilitychange')))"
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(hide, true)))
	p.until("document.querySelector('.live').innerText === 'Waiting'")
	server.show(dead())
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(hide, false)))
	p.until("document.querySelector('.node.silent') && document.querySelector('.live').innerText === 'Live'")
	p.do(chromedp.Click(chromedp.CSS("[aria-label='Pause refreshing']")))
	p.until("document.querySelector('.live').innerText === 'Paused'")
	server.show(cut())
	p.do(chromedp.Click(chromedp.CSS("[aria-label='Refresh now']")))
	p.says("no such host")
	p.quiet()
}

func refused(t *testing.T, browser context.Context) {
	server := observe(t, normal())
	p := view(t, browser, server, 1280, 800)
	p.open("/services")
	p.says("orders-api")
	server.mu.Lock()
	server.refuse["services"], server.refuse["events"] = true, true
	server.mu.Unlock()
	server.CloseClientConnections() // the stream of events breaks, and is not to be had again
	p.do(chromedp.Click(chromedp.CSS("[aria-label='Refresh now']")))
	p.says("the collector is starting", "orders-api") // what was known stays
	p.until("document.querySelector('.live').innerText === 'Every 5 s'")
	server.mu.Lock()
	server.refuse["services"] = false
	server.mu.Unlock()
	p.until("!document.querySelector('.problem')") // asked again although no event came
	p.forgive("503", "ERR_", "text/event-stream")
	p.quiet()
}

// lookForBarriers loads the rules of accessibility into the page.
func (p *tab) lookForBarriers() {
	p.t.Helper()
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.Evaluate[chromedp.Void](string(axe) + "; void 0"))
}

// barrierFree reports what of the page breaks the rules (WCAG 2.2 A and AA).
func (p *tab) barrierFree(where string) {
	p.t.Helper()
	found := eval[string](p, `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
		.then(r => JSON.stringify(r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.any.concat(n.all).map(a => a.message).join('; ')).join(' | '))))`)
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		p.t.Fatal(err)
	}
	if len(violations) > 0 {
		p.t.Errorf("%s has barriers:\n%s", where, strings.Join(violations, "\n"))
	}
}

// forgive drops the complaints that a test has provoked.
func (p *tab) forgive(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = slices.DeleteFunc(p.complaints, func(c string) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(c, s) })
	})
}
