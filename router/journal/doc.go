// Package journal is the router's log: a slog.Handler that knows modules.
//
//	slog.Logger ─▶ Handler: module, level ─▶ enabled? ─▶ recent lines
//	                                           │          counters
//	                                           ▼
//	                    the module's output: a file in upstream's line format,
//	                    or whatever handler the process has
//
// A record names its module in the attribute "module" (ModuleKey), either
// itself or by Logger.With; one that names none belongs to module SERVER. What
// each module logs, and where to, is set by Configure and may change at any
// time: compat: the log entity of skupper-router 3.x.
//
// # Lines
//
// A module with an output file gets lines that upstream's tools read:
//
//	2026-03-03 19:08:13.608655 +0100 SERVER (info) [C5] Connection Opened: dir=in host=… (open.go:120)
//
// The attributes ConnKey and LinkKey stand in front of the message, all others
// behind it. Without an output file, and with "stderr", records go to the
// process's own handler as they are.
//
// # Concurrency
//
// Everything may be called by any goroutine. Enabled takes no lock.
package journal
