// Package freeport gives tests TCP ports that nobody else on the host gets
// meanwhile. Tests only.
package freeport
