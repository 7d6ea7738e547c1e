// Package container says what the router of a site is as a container: its name,
// what it is made from, what of the host it sees, and as whom it runs. It is a
// description; packages podman and docker below it speak to an engine, package
// image makes what the container runs, and package host decides when.
//
//	render → Container → host → Engine (podman, docker) → a running router
//
// Names, labels, environment and the places inside are upstream's, so that its
// tools and its image find what they expect. What only ours needs is named
// apart: the run directory with the router's socket, and the labels by which a
// container tells how it was made.
package container
