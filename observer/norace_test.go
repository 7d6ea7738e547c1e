//go:build !race

package observer

const raced = false
