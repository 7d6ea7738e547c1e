// Package bundle packs a site to travel: resources and, where it is allowed,
// credentials, in a shell script that installs them or in a tar archive. A
// bundle is no site yet. Site id, router id, keys, certificates and ports are
// made where it is installed, so that two installations share nothing; the
// installing itself is an ordinary apply, done by cmd/skupper.
//
//	resources ─ New ─ Bundle ─ Shell | Archive → file ─ Open → Bundle → apply
//
// New checks the resources as an apply would and refuses private keys. Open
// believes nothing: it compares checksums before it unpacks, and takes members
// of known names, kinds and sizes only.
//
// # The two forms
//
// A shell file is a POSIX script in blocks of 4096 bytes. The first block
// checks the rest, which is why its own length never changes; then follow the
// installer, the program if there is one inside, and a tar.gz with the members.
// An archive is a tar.gz with the same members, the installer and the program.
// Its unpacked directory is a bundle, too.
//
// The same content gives the same bytes. It is not for backups: what a site has
// become where it runs does not come along.
package bundle
