package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/observer/record"
)

// What top can tell apart.
const (
	byService = "service"
	bySite    = "site"
	byProcess = "process"
)

func (p *program) topCommand() *command.Command {
	return &command.Command{
		Name: "top", Summary: "watch what flows through the network",
		Text: "Rates of the last half minute, open connections and totals of each service, or from which site or process to which, the busiest first. " +
			"The network observer counts them (`skupper system network-observer install`), from its start on; a new figure comes every ten seconds. Interrupting ends it.",
		Flags: []command.Flag{
			{Name: "by", Kind: command.String, Choices: []string{byService, bySite, byProcess}, Default: byService, Usage: "what is told apart"},
			{Name: "once", Kind: command.Bool, Usage: "print it once"},
			{Name: "interval", Kind: command.Duration, Default: "2s", Usage: "time between two looks"},
			{Name: "raw-units", Kind: command.Bool, Usage: "bytes as numbers"},
			outputFlag("table", "table", "json"),
		},
		Examples: []command.Example{
			{Line: "skupper top", Text: "Watch the services"},
			{Line: "skupper top --by site --once", Text: "What flows from site to site, once"},
			{Line: "skupper top --by process -o json", Text: "An object for each look, a line each, for a program"},
		},
		Run: p.top,
	}
}

// flow is a line of top. Rates are per second; the client opened the connections.
type flow struct {
	Service string `json:"service,omitempty"`
	Client  string `json:"client,omitempty"`
	Server  string `json:"server,omitempty"`

	SentRate      float64 `json:"sentRate"` // bytes from clients
	ReceivedRate  float64 `json:"receivedRate"`
	RequestRate   float64 `json:"requestRate"` // HTTP requests that ended
	Open          float64 `json:"open"`        // connections
	SentBytes     float64 `json:"sentBytes"`
	ReceivedBytes float64 `json:"receivedBytes"`
}

// flowLabels are the labels that tell flows apart.
func flowLabels(by string) (service, client, server string) {
	switch by {
	case bySite:
		return "", "source_site_name", "dest_site_name"
	case byProcess:
		return "", "source_process_name", "dest_process_name"
	}
	return "routing_key", "", ""
}

// flows asks what flows now, the busiest first.
func (o *observed) flows(ctx context.Context, by string) ([]*flow, error) {
	service, client, server := flowLabels(by)
	labels := service
	if service == "" {
		labels = client + "," + server
	}
	found := map[[3]string]*flow{}
	at := func(key [3]string) *flow {
		if found[key] == nil {
			found[key] = &flow{Service: key[0], Client: key[1], Server: key[2]}
		}
		return found[key]
	}
	if by == byService { // those that nobody uses, too
		all, err := list[record.Service](ctx, o, "services")
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			at([3]string{s.Name, "", ""})
		}
	}
	for _, q := range []struct {
		what  string
		field func(*flow) *float64
	}{
		{"rate(skupper_sent_bytes_total[30s])", func(f *flow) *float64 { return &f.SentRate }},
		{"rate(skupper_received_bytes_total[30s])", func(f *flow) *float64 { return &f.ReceivedRate }},
		{"rate(skupper_requests_total[30s])", func(f *flow) *float64 { return &f.RequestRate }},
		{"skupper_connections_opened_total-skupper_connections_closed_total", func(f *flow) *float64 { return &f.Open }},
		{"skupper_sent_bytes_total", func(f *flow) *float64 { return &f.SentBytes }},
		{"skupper_received_bytes_total", func(f *flow) *float64 { return &f.ReceivedBytes }},
	} {
		samples, err := o.query(ctx, "sum by("+labels+")("+q.what+")")
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			*q.field(at([3]string{s.labels[service], s.labels[client], s.labels[server]})) += s.value
		}
	}
	rows := make([]*flow, 0, len(found))
	for _, f := range found {
		rows = append(rows, f)
	}
	slices.SortFunc(rows, func(a, b *flow) int {
		return cmp.Or(
			cmp.Compare(b.SentRate+b.ReceivedRate, a.SentRate+a.ReceivedRate), cmp.Compare(b.SentBytes+b.ReceivedBytes, a.SentBytes+a.ReceivedBytes),
			strings.Compare(a.Service, b.Service), strings.Compare(a.Client, b.Client), strings.Compare(a.Server, b.Server),
		)
	})
	return rows, nil
}

func (p *program) top(ctx context.Context, in *command.Input) error {
	o, err := p.observer()
	if err != nil {
		return err
	}
	if in.Duration("interval") <= 0 {
		return &command.UsageError{Message: "--interval " + in.String("interval") + ": not more than nothing"}
	}
	ticker := time.NewTicker(in.Duration("interval"))
	defer ticker.Stop()
	for again := false; ; again = true {
		rows, err := o.flows(ctx, in.String("by"))
		if err != nil {
			return p.interrupted(ctx, err)
		}
		if err := p.showFlows(in, rows, again); err != nil || in.Bool("once") {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// interrupted forgives an error that a person caused who ended what goes on.
func (p *program) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// clearScreen sends the cursor home and clears the terminal (ECMA-48).
const clearScreen = "\x1b[H\x1b[2J"

func (p *program) showFlows(in *command.Input, rows []*flow, again bool) error {
	if in.String("output") == string(output.AsJSON) {
		e := json.NewEncoder(p.stdout)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Time time.Time `json:"time"`
			By   string    `json:"by"`
			Rows []*flow   `json:"rows"`
		}{time.Now().UTC(), in.String("by"), rows})
	}
	var text strings.Builder
	switch {
	case in.Bool("once"):
	case p.stdoutTerminal:
		text.WriteString(clearScreen)
	case again:
		text.WriteByte('\n')
	}
	if err := flowTable(in.String("by"), rows, in.Bool("raw-units")).Write(&text); err != nil {
		return err
	}
	_, err := io.WriteString(p.stdout, text.String())
	return err
}

func flowTable(by string, rows []*flow, raw bool) *output.Table {
	header := []string{"SERVICE"}
	if by != byService {
		header = []string{"CLIENT", "SERVER"}
	}
	t := &output.Table{Header: append(header, "SENT/S", "RECEIVED/S", "REQUESTS/S", "OPEN", "SENT", "RECEIVED")}
	for _, f := range rows {
		row := []string{f.Service}
		if by != byService {
			row = []string{known(f.Client), known(f.Server)}
		}
		t.Add(append(row, octets(f.SentRate, raw), octets(f.ReceivedRate, raw), figure(f.RequestRate), figure(f.Open), octets(f.SentBytes, raw), octets(f.ReceivedBytes, raw))...)
	}
	return t
}

// known is a name, "-" where there is none.
func known(name string) string {
	if name == record.Unknown {
		name = ""
	}
	return first(name, "-")
}

// figure is a number with no more digits than matter.
func figure(v float64) string {
	if v >= 100 || v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// octets is a number of bytes, raw or for people.
func octets(v float64, raw bool) string {
	if raw || v < 1024 {
		return figure(v)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for v /= 1024; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
