package router

import (
	"context"
	"errors"
	"log/slog"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/journal"
	"github.com/skupper-host/skupper/router/manage"
)

// setLog makes the log what is configured.
func (r *Router) setLog() {
	if r.journal == nil {
		return
	}
	traced := r.tracing()
	if err := r.journal.Configure(logSettings(r.cfg)); err != nil {
		r.log.Error("log", "module", "AGENT", "err", err)
	}
	r.setMessageLog()
	if on := r.tracing(); on != traced {
		r.setTrace(on)
	}
}

// logSettings translates the log entities. A module DEFAULT that is as if
// nobody had configured it leaves the level to the process.
func logSettings(cfg *config.Config) journal.Config {
	if cfg == nil {
		return journal.Config{}
	}
	return journal.Config{
		TimeFormat: cfg.Router.TimestampFormat, UTC: cfg.Router.TimestampsInUTC, Settings: moduleSettings(cfg.Logs),
	}
}

func moduleSettings(logs []config.Log) (list []journal.Setting) {
	for _, l := range logs {
		s := journal.Setting{
			Module: l.Module, Enable: l.Enable, OutputFile: l.OutputFile, Timestamp: l.IncludeTimestamp, Source: l.IncludeSource,
		}
		if l.Module == journal.Default && l.Enable == "info+" && l.OutputFile == "stderr" {
			s.Enable = ""
		}
		list = append(list, s)
	}
	return list
}

// logFailure says why the router does not start, or has stopped. compat: what
// is wrong with a configuration in upstream's words too.
func logFailure(log *slog.Logger, err error) {
	for _, e := range parts(err) {
		var c *config.Error
		text := "Router start-up failed: " + e.Error()
		if errors.As(e, &c) {
			text = c.Startup()
		}
		log.Log(context.Background(), journal.LevelCritical, text, "module", "ROUTER")
	}
}

// parts takes joined errors apart.
func parts(err error) (list []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		list = append(list, parts(e)...)
	}
	return list
}

// LogStats implements manage.Store.
func (s store) LogStats() (rows []manage.LogStats) {
	if s.r.journal == nil {
		return nil
	}
	for _, c := range s.r.journal.Counts() {
		rows = append(rows, manage.LogStats{
			Module: c.Module, DebugCount: c.Debug, InfoCount: c.Info, WarningCount: c.Warning, ErrorCount: c.Error, CriticalCount: c.Critical,
		})
	}
	return rows
}

// RecentLog implements manage.Store.
func (s store) RecentLog(limit int) (lines []manage.LogLine) {
	if s.r.journal == nil {
		return nil
	}
	for _, l := range s.r.journal.Recent(limit) {
		lines = append(lines, manage.LogLine{
			Module: l.Module, Level: l.Level, Text: l.Text, File: l.File, Line: l.LineNumber, Time: l.Time.Unix(),
		})
	}
	return lines
}
