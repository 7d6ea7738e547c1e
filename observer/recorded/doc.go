// Package recorded is a network made of what routers and controllers were
// recorded to say, with records of every kind. Tests only.
package recorded
