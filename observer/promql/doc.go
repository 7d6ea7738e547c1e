// Package promql answers the queries of upstream's console from the history, so
// that it needs no Prometheus. It is not a query language: it knows the shapes
// that the console uses, with F a list of matchers, G a list of labels and R a
// duration, and refuses all others, at a moment as well as over a time.
//
//	sum by(G)(skupper_sent_bytes_total{F})
//	sum by(G)(rate(skupper_sent_bytes_total{F}[R]))
//	sum(rate(skupper_sent_bytes_total{F}[R]))
//	histogram_quantile(Q, sum(increase(legacy_flow_latency_microseconds_bucket{F}[R]))by(le))
//	sum(skupper_connections_opened_total{F}-skupper_connections_closed_total{F})
//	sum by(method)(rate(skupper_requests_total{F}[R]))
//	sum by(partial_code)(label_replace(increase(skupper_requests_total{F}[R]),
//	    "partial_code", "$1", "code", "(.*).{2}"))
//	the same with rate
//
// Our own console also groups the difference of connections, and the rate of
// requests, by G.
//
// skupper_received_bytes_total stands for skupper_sent_bytes_total as well.
// Answers are those of Prometheus but for this: rates are what was counted,
// divided by the time in which it could be, without extrapolation; a counter that
// appears is counted from zero.
//
// The package reads no clock; everything is safe for concurrent use.
package promql
