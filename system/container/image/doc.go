// Package image makes the image of the router's container from a program: one
// file, nothing below it, and no registry. The bytes depend on nothing but the
// program and its version.
package image
