package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
)

func (p *program) eventsCommand() *command.Command {
	return &command.Command{
		Name: "events", Summary: "tell what happened to the site, and what happens in its network",
		Text: "What the agent has noted: changes that were applied or failed, links, listeners and connectors that became Ready or not and why, " +
			"certificates, sites that came and went. With --follow it goes on with what happens from now on and, where a network observer runs, " +
			"with links, sites, listeners and connectors of the whole network. Interrupting ends it.",
		Flags: []command.Flag{
			{Name: "follow", Short: "f", Kind: command.Bool, Usage: "go on with what happens"},
			{Name: "since", Kind: command.Duration, Usage: "only what is newer"},
			outputFlag("table", "table", "json"),
		},
		Examples: []command.Example{
			{Line: "skupper -n west events", Text: "What happened to the site of namespace west"},
			{Line: "skupper events -f --since 1h -o json", Text: "The last hour and what comes, an object a line, for a program"},
		},
		Run: p.events,
	}
}

// happening is an event as it is shown.
type happening struct {
	Time time.Time `json:"time"`
	From string    `json:"from"` // "agent" or "observer"
	What string    `json:"what"`
	Text string    `json:"text"`
}

// Of events that go on.
const (
	missed      = "missed"
	muchMissed  = "more happened than could be told"
	eventsPoll  = 250 * time.Millisecond // between two looks at the file
	eventsAgain = 3 * time.Second        // until an observer is asked again that is not there
)

func (p *program) events(ctx context.Context, in *command.Input) error {
	n, err := p.namespacePaths()
	if err != nil {
		return err
	}
	if !isDir(n.Dir) {
		return namespaceMissing(n.Name)
	}
	tell, log := p.teller(in), host.NewEventReader(n.Events())
	defer func() { _ = log.Close() }() // only read from
	if err := tellNoted(log, sinceOf(in), tell); err != nil || !in.Bool("follow") {
		return err
	}
	living, end := context.WithCancel(ctx)
	var observing sync.WaitGroup
	defer observing.Wait()
	defer end()
	observing.Go(func() { p.followNetwork(living, tell) })
	ticker := time.NewTicker(eventsPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := tellNoted(log, time.Time{}, tell); err != nil {
			return err
		}
	}
}

// teller writes events, one a line; any goroutine may call it.
func (p *program) teller(in *command.Input) func(happening) error {
	var mu sync.Mutex
	asJSON := in.String("output") == string(output.AsJSON)
	return func(h happening) error {
		mu.Lock()
		defer mu.Unlock()
		if asJSON {
			e := json.NewEncoder(p.stdout)
			e.SetEscapeHTML(false)
			return e.Encode(h)
		}
		text := strings.ReplaceAll(h.Text, "\n", "; ")
		_, err := fmt.Fprintf(p.stdout, "%s  %-11s  %s\n", h.Time.Local().Format(time.DateTime), h.What, strings.TrimSpace(text))
		return err
	}
}

// tellNoted tells what the agent has noted since it was called before, and is not
// older than since.
func tellNoted(log *host.EventReader, since time.Time, tell func(happening) error) error {
	noted, err := log.Next()
	if errors.Is(err, fs.ErrPermission) {
		return &api.Error{Kind: api.Denied, Message: err.Error(), Advice: "run as root or as the user whose site it is"}
	}
	if err != nil {
		return err
	}
	if log.Lost() {
		if err := tell(happening{time.Now().UTC(), "agent", missed, muchMissed}); err != nil {
			return err
		}
	}
	for _, e := range noted {
		if e.Time.Before(since) {
			continue
		}
		if err := tell(happening{e.Time, "agent", e.What, e.Text}); err != nil {
			return err
		}
	}
	return nil
}

// followNetwork tells what a network observer sees, as long as one runs.
func (p *program) followNetwork(ctx context.Context, tell func(happening) error) {
	o, err := p.observer()
	if err != nil {
		return // the agent's events go on
	}
	var links linkStates
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := o.follow(ctx, &links, tell); err != nil && ctx.Err() == nil && api.KindOf(err) != api.Unavailable {
			p.warn("%v", err)
		}
		timer.Reset(eventsAgain)
	}
}

// linkStates are the states of links, by identity, as far as they were told. The
// zero value knows none, and takes those of the first look as they are.
type linkStates map[string]string

// catchUp tells what became of links while nobody listened.
func (s *linkStates) catchUp(ctx context.Context, o *observed, tell func(happening) error) error {
	all, err := list[record.RouterLink](ctx, o, "routerlinks")
	if err != nil {
		return err
	}
	known := *s != nil
	if !known {
		*s = linkStates{}
	}
	for _, l := range all {
		text := linkText("changed", &l, *s)
		if !known || text == "" {
			continue
		}
		if err := tell(happening{time.Now().UTC(), "observer", "link", text}); err != nil {
			return err
		}
	}
	return nil
}

// follow tells the changes of the network until the stream of them ends.
func (o *observed) follow(ctx context.Context, links *linkStates, tell func(happening) error) error {
	// The stream is open before links are looked at: nothing falls in between.
	body, err := o.open(ctx, apiPrefix+"events", url.Values{"kinds": {"sites,routerlinks,listeners,connectors,sources"}})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // only read from
	if err := links.catchUp(ctx, o, tell); err != nil {
		return err
	}
	kind := ""
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = strings.TrimSpace(name)
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		what, text := changeText(kind, []byte(data), *links)
		if text == "" {
			continue
		}
		if err := tell(happening{time.Now().UTC(), "observer", what, text}); err != nil {
			return err
		}
		if what != missed {
			continue
		}
		if err := links.catchUp(ctx, o, tell); err != nil {
			return err
		}
	}
}

// change is an event of the observer.
type change[T any] struct {
	Change string // added, changed, removed
	Record T
}

// changeText puts an event of the observer into words, "" for one that nobody
// needs. links are the states of links so far.
func changeText(kind string, data []byte, links map[string]string) (what, text string) {
	switch kind {
	case "resync":
		return missed, muchMissed
	case "sites":
		c := decoded[record.Site](data)
		return "site", cameOrWent(c.Change, c.Record.Name)
	case "routerlinks":
		c := decoded[record.RouterLink](data)
		return "link", linkText(c.Change, &c.Record, links)
	case "listeners":
		c := decoded[record.Listener](data)
		return "listener", addedOrRemoved(c.Change, fmt.Sprintf("%s of site %s for %s", c.Record.Name, c.Record.SiteName, c.Record.RoutingKey))
	case "connectors":
		c := decoded[record.Connector](data)
		return "connector", addedOrRemoved(c.Change, fmt.Sprintf("%s of site %s for %s", c.Record.Name, c.Record.SiteName, c.Record.RoutingKey))
	case "sources":
		c := decoded[record.Source](data)
		if c.Change == "changed" && (c.Record.State == record.SourceSilent || c.Record.State == record.SourceGone) {
			return "source", fmt.Sprintf("%s %s is %s", strings.ToLower(c.Record.Type), c.Record.Name, c.Record.State)
		}
	}
	return "", ""
}

// decoded reads an event; one that is none is empty, and nothing is told of it.
func decoded[T any](data []byte) (c change[T]) {
	if json.Unmarshal(data, &c) != nil {
		return change[T]{}
	}
	return c
}

func cameOrWent(change, name string) string {
	switch change {
	case "added":
		return name + " came"
	case "removed":
		return name + " went"
	}
	return ""
}

func addedOrRemoved(change, name string) string {
	if change == "added" || change == "removed" {
		return name + " was " + change
	}
	return ""
}

// linkText tells of a link that is new or gone, or up or down when it was not.
func linkText(change string, l *record.RouterLink, states map[string]string) string {
	before := states[l.Identity]
	states[l.Identity] = l.Status
	to := "another site"
	if l.DestinationSiteName != nil {
		to = "site " + *l.DestinationSiteName
	}
	name := fmt.Sprintf("%s of site %s to %s", l.Name, l.SourceSiteName, to)
	switch {
	case change == "removed":
		delete(states, l.Identity)
		return name + " was removed"
	case change == "" || before == l.Status:
		return ""
	case l.Status == "down" && l.Reason != "":
		return name + " is down: " + l.Reason
	}
	return name + " is " + l.Status
}
