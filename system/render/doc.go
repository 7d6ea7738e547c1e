// Package render says what a machine must have for a Site: the router's
// configuration, the credentials that it names, link files for other sites,
// the resources in effect, and the unit that runs the router.
//
//	site.Site + what is there + now → Render → state.State (wanted)
//
// Rendering is a value and nothing else: the same Input gives the same bytes,
// so that an unchanged site leads to an empty plan. What is already on disk is
// part of the Input, because keys are made once and kept: package pki decides
// when one has to be made anew.
//
// Everything that a person or upstream's tools may look for has upstream's name
// and shape. Unit files are values with one serializer (unitfile.go); the units
// that packages install come from here as well, so that they cannot drift.
//
// The package is pure and safe for concurrent use.
//
// Caveats: making a key takes about a tenth of a millisecond (ECDSA) or a
// hundred of them (RSA).
package render
