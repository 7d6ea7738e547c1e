//go:build !race

package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/skupper-host/skupper/observer/promql"
	"github.com/skupper-host/skupper/observer/record"
)

// shown is a page: its address, its title, and what it says: where there is
// nothing, where there is something, and besides where a source is silent and
// where a link is down. What stands in braces is filled in from the scene.
type shown struct{ hash, title, nothing, something, dead, cut string }

const gone = "does not know this any more"

func allPages() []shown {
	return []shown{
		{"/network", "Network", "No site is known yet", "Links {links}", "lisbon", "lookup berlin.example.net: no such host"},
		{"/network?view=components", "Network", "No components are known yet", "Component pairs {services}", "{service}", "{service}"},
		{"/network?view=processes", "Network", "No processes are known yet", "Process pairs {services}", "{service}-0", "{service}-0"},
		{"/sites", "Sites", "No sites", "Sites {sites}", "Silent", "1 down"},
		{"/services", "Services", "No services", "Services {services}", "{service}", "{service}"},
		{"/connections", "Connections", "No connections", "Connections {connections}", "lisbon", "no connector for postgres is known"},
		{"/requests", "HTTP requests", "No HTTP requests", "HTTP requests {requests}", "GET", "GET"},
		{"/components", "Components", "No components", "Components {processes}", "{service}", "{service}"},
		{"/processes", "Processes", "No processes", "Processes {processes}", "lisbon", "{service}-0"},
		{"/charts", "Charts", "Nothing in this time", "99 %", "from servers", "from servers"},
		{"/logs", "Router logs", "No log lines", "Log lines {logs}", "<b onclick=alert(1)>GET</b>", "trunk to-frankfurt: connection refused"},
		{"/sources", "Event sources", "Nothing has been heard", "Event sources {sources}", "3 min ago", "Live"},
		{"/sites/{site id}", "{site}", gone, "Links from other sites", "Silent", "dial frankfurt.example.net:55671: connection refused"},
		{"/services/{service id}", "{service}", gone, "Time to the first byte", "Bound", "Bound"},
		{"/services/{service id}?tab=ends", "{service}", gone, "{address}:8080", "lisbon", "madrid"},
		{"/services/{service id}?tab=pairs", "{service}", gone, "site-client-{service}", "lisbon", "madrid"},
		{"/services/{service id}?tab=connections", "{service}", gone, "Connections {its connections}", "lisbon", "no connector for {service} is known"},
		{"/services/{service id}?tab=requests", "{service}", gone, "HTTP requests {its requests}", "No HTTP requests", "No HTTP requests"},
		{"/connections/{connection}", "Connection {connection}", gone, "Path through the network", "lisbon", "no connector for {service} is known"},
		{"/processes/proc-s{service id}", "{service}-0", gone, "site-client-{service}", "lisbon", "madrid"},
		{"/components/pg-clients of {service}", "clients of {service}", gone, "Servers that it connects to 1", "{service}", "{service}"},
	}
}

// stage is a scene with what is looked at in it, and how.
type stage struct {
	name          string
	scene         *made
	site, service int // whose pages are looked at
	theme         string
	slow          bool // too many elements for the rules of accessibility
	also          func(*tab, *observed)
}

func stages() []stage {
	return []stage{
		{"Empty", grow(0, 0, 0), 0, 0, "light", false, nothingElse},
		{"Normal", normal(), 0, 0, "dark", false, queriesAreUnderstood},
		{"Huge", huge(), 0, 0, "light", true, hugeNetwork},
		{"DeadSource", dead(), 5, 5, "dark", true, deadSource},
		{"CutLink", cut(), 2, 2, "light", false, cutLink},
	}
}

// fill writes what the scene has in the place of what stands in braces. A scene
// of nothing is asked for what a normal one has.
func (s *stage) fill(p shown) shown {
	from := s.scene
	if len(from.sites) == 0 {
		from = normal()
	}
	service := from.services[s.service]
	at := slices.IndexFunc(from.connections, func(c *record.Connection) bool { return c.ServiceID == service.Identity })
	own := func(id string) bool { return id == service.Identity }
	its, requests := 0, 0
	for _, c := range from.connections {
		its += b2i(own(c.ServiceID))
	}
	for _, r := range from.requests {
		requests += b2i(own(r.ServiceID))
	}
	values := []string{
		"{service}", service.Name, "{service id}", service.Identity, "{site}", from.sites[s.site].Name, "{site id}", siteID(s.site),
		"{connection}", from.connections[at].Identity, "{address}", from.connectors[s.service].DestHost,
	}
	for name, n := range map[string]int{
		"sites": len(from.sites), "links": len(from.links), "services": len(from.services), "processes": len(from.processes), "connections": len(from.connections),
		"requests": len(from.requests), "logs": len(from.logs), "sources": len(from.sources), "its connections": its, "its requests": requests,
	} {
		values = append(values, "{"+name+"}", grouped(n))
	}
	in := strings.NewReplacer(values...)
	for _, text := range []*string{&p.hash, &p.title, &p.nothing, &p.something, &p.dead, &p.cut} {
		*text = in.Replace(*text)
	}
	p.hash = strings.ReplaceAll(p.hash, " ", "%20")
	return p
}

// grouped writes a number as the console does.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
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
		{"Pages", everyPageInEveryScene},
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

func everyPageInEveryScene(t *testing.T, browser context.Context) {
	for _, s := range stages() {
		t.Run(s.name, func(t *testing.T) {
			server := observe(t, s.scene)
			p := view(t, browser, server, 1280, 800)
			call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.theme}}})
			p.open("/network")
			if got := eval[string](p, "document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')"); got != s.theme {
				t.Errorf("the theme is %s, want %s", got, s.theme)
			}
			p.lookForBarriers()
			widths := [2]int64{1280, 360} // every page is looked at on both, half of them first on a phone
			for _, raw := range allPages() {
				page := s.fill(raw)
				switch s.name {
				case "Empty":
					if page.nothing == gone && !strings.HasPrefix(page.hash, "/connections/") {
						page.title = "" // is not known
					}
					p.turn(page, page.nothing)
				case "DeadSource":
					p.turn(page, page.something)
					p.says(page.dead)
				case "CutLink":
					if strings.Contains(page.hash, "tab=requests") { // none of those that come are answered
						page.something = page.cut
					}
					p.turn(page, page.something)
					p.says(page.cut)
				default:
					p.turn(page, page.something)
				}
				p.reachable(page.hash)
				if !s.slow && !strings.Contains(page.hash, "tab=") { // whose tables are those of other pages
					p.barrierFree(page.hash)
				}
				p.narrow(page.hash)
				widths[0], widths[1] = widths[1], widths[0]
				p.do(chromedp.EmulateViewport(widths[0], 740))
				p.narrow(page.hash)
			}
			p.do(chromedp.EmulateViewport(1280, 800))
			s.also(p, server)
			p.quiet() // nor has the policy forbidden anything: that is an error of the page
		})
	}
}

// narrow reports a page that is wider than its window.
func (p *tab) narrow(where string) {
	p.t.Helper()
	if size := eval[[2]int](p, "[document.documentElement.scrollWidth, innerWidth]"); size[0] > size[1] {
		p.t.Errorf("%s is %d wide in a window of %d", where, size[0], size[1])
	}
}

// reachable reports what of the page can be pressed with the mouse and not
// reached with the keyboard. Tab leads from the title to what comes first.
func (p *tab) reachable(where string) {
	p.t.Helper()
	type found struct{ Pressed, Stuck []string }
	got := eval[found](p, `(() => {
		const main = document.querySelector('main'), before = document.activeElement;
		const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible' && !e.disabled;
		const stops = [...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')].filter(seen);
		const short = (e) => e.outerHTML.slice(0, 120);
		const stuck = stops.filter((e) => { e.focus({ preventScroll: true }); return document.activeElement !== e; }).map(short);
		before.focus({ preventScroll: true });
		const held = (e) => e.closest('a[href], button, input, select, label, summary, [tabindex]:not(main):not(h1)');
		const pressed = [...main.querySelectorAll('*')].filter((e) => seen(e) && getComputedStyle(e).cursor === 'pointer' && !held(e)).map(short);
		return { Pressed: pressed.slice(0, 3), Stuck: stuck.slice(0, 3) };
	})()`)
	if len(got.Pressed) > 0 || len(got.Stuck) > 0 {
		p.t.Errorf("%s: for the mouse only: %q; cannot be focused: %q", where, got.Pressed, got.Stuck)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("void document.getElementById('title').focus({ preventScroll: true })"), chromedp.KeyEvent(kb.Tab))
	// After a page that is gone come no others of its own: Tab goes on to the frame.
	if !eval[bool](p, `(() => {
		const title = document.getElementById('title'), after = (e) => title.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING;
		const stop = [...document.querySelectorAll('main :is(a[href], button, input, select, [tabindex="0"])')].find((e) => after(e) && !e.disabled && e.getClientRects().length > 0);
		return stop ? document.activeElement === stop : !document.activeElement.closest('main');
	})()`) {
		p.t.Errorf("%s: Tab leads from the title to %s", where, eval[string](p, "document.activeElement.outerHTML.slice(0, 120)"))
	}
}

func nothingElse(p *tab, _ *observed) {
	p.turn(shown{hash: "/nonsense", title: "No such page"}, "Go to the network map")
	p.forgive("404") // of what is gone
}

func queriesAreUnderstood(p *tab, server *observed) {
	p.do(chromedp.EmulateViewport(360, 740), chromedp.Click(chromedp.CSS("header button[aria-controls=menu]")), chromedp.Click(chromedp.CSS("#menu a[href='#/services']")))
	p.says("orders-api")
	if open := eval[bool](p, "document.querySelector('#menu').offsetParent !== null"); open {
		p.t.Error("the menu covers the page that was chosen in it")
	}
	p.barrierFree("the services, on a phone")
	queries := map[string]bool{}
	for _, asked := range server.requested() {
		if u, err := url.Parse(asked); err == nil && strings.HasPrefix(u.Path, root+"internal/prom/") {
			queries[u.Query().Get("query")] = true
		}
	}
	if len(queries) < 10 {
		p.t.Errorf("only %d different queries of counters", len(queries))
	}
	for q := range queries {
		if _, err := promql.Parse(q); err != nil {
			p.t.Errorf("%s: %v", q, err)
		}
	}
}

func hugeNetwork(p *tab, server *observed) {
	p.do(chromedp.Navigate("about:blank"))
	p.open("/network")
	p.until("document.querySelectorAll('.node').length === 100")
	p.t.Logf("100 sites, 1,000 services: first paint after %.0f ms, map drawn after %.0f ms",
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
			p.t.Fatal(err)
		}
		resource := strings.TrimPrefix(u.Path, root)
		if limit := u.Query().Get("limit"); !strings.Contains(resource, "/") && limit == "" && !u.Query().Has("siteId") {
			p.t.Errorf("all of a list is asked for: %s", asked)
		}
	}
}

func deadSource(p *tab, server *observed) {
	p.turn(shown{hash: "/network", title: "Network"}, "")
	p.until(fmt.Sprintf(`document.querySelector('.node.silent')?.dataset.node === %q`, siteID(5)))
	if label := eval[string](p, "document.querySelector('.node.silent').getAttribute('aria-label')"); !strings.Contains(label, "its routers are silent") {
		p.t.Errorf("a silent site is called %q", label)
	}
	if n := eval[int](p, "document.querySelectorAll('.node.silent').length"); n != 1 {
		p.t.Errorf("%d sites are silent, want 1", n)
	}
	p.turn(shown{hash: "/sources", title: "Event sources"}, "3 min ago")
	const banner = "document.querySelector('main > .no-router[role=alert]')"
	p.until("!" + banner)
	server.show(lost())
	p.until(banner + "?.innerText.includes('for 4 min;') && " + banner + ".innerText.includes('router.sock: connection refused')")
	p.says("3 min ago") // what was known stays
	p.barrierFree("a page without a router")
	server.show(dead())
	p.until("!" + banner)
}

func cutLink(p *tab, _ *observed) {
	p.turn(shown{hash: "/network", title: "Network"}, "")
	p.says("dial frankfurt.example.net:55671: connection refused", "lookup berlin.example.net: no such host", "4 min", "3×", "berlin.example.net:55671")
	for selector, want := range map[string]int{".edge.down": 2, ".edge.up": 7, ".edge.down .mark.bad": 2, ".node.open": 1} {
		if got := eval[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != want {
			p.t.Errorf("%d of %s, want %d", got, selector, want)
		}
	}
	p.turn(shown{hash: "/network?status=down", title: "Network"}, "Links 2")
	p.turn(shown{hash: "/network?site=" + siteID(0), title: "Network"}, "from madrid")
	p.turn(shown{hash: "/sites/" + siteID(0), title: "frankfurt"}, "connection refused") // a link that others dial
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
