// Package record is the vocabulary of the network observer's API, version
// v2alpha1: what a site, a router, a service, a connection look like in JSON.
// Names, types, and what is null, left out or "unknown" when there is no data
// are upstream's (compat: skupper v2 network-observer); fields that upstream
// does not have are marked as ours and only ever added.
//
// All times are microseconds since the Unix epoch, 0 = not set or not ended;
// latencies and durations are microseconds, octets are payload bytes.
//
// observer/network makes records, and never changes one that it has handed
// out; query, api, metrics and console read them. Nothing here computes.
package record
