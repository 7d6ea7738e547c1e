// Package docker speaks to Docker through its own client. Engines since 20.10
// (API 1.41) do.
package docker
