// Package podman speaks to podman over its socket: the API that it calls libpod,
// version 4.0.0, which podman 4 and 5 serve.
//
// It is a client of its own, a page of HTTP. The bindings that podman brings as
// a Go package (github.com/containers/podman/v5/pkg/bindings) were measured
// first: 440 packages more, which take one and a half minutes of processor time
// for each way of building (as released, for tests, with the race detector), and
// several times that under the analysers; with them this project could not be
// built, checked and tested in its time. Of those packages a dozen requests are
// used here.
package podman
