// Package forward decides where a message goes.
package forward
