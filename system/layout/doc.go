// Package layout says where everything lives on disk: the directories of an
// instance, the files of a namespace, the units and sockets outside it.
//
// An instance is the set of sites of one user, or of the system. It is found
// from the environment, which the program reads once and passes in:
//
//	Env → Locate → Paths → Namespace(name) → NamespacePaths → every file
//
// Names and places are upstream's wherever upstream has one, so that its
// tools, its Ansible collection and a person's memory find what they expect.
// What upstream does not know lives under internal/ of a namespace, under
// system-controller/ of the data home, or in the run directory.
//
// The package is pure: it joins strings and never asks the machine. Values are
// safe for concurrent use.
//
// Caveats: a path being returned says nothing about its existence. Whether a
// namespace name is acceptable to people is decided in package resource; here
// it only must be one harmless path element.
package layout
