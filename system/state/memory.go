package state

import (
	"encoding/json"
	"fmt"
	"time"
)

// memorySchema is the version of the file that Memory is written as.
const memorySchema = 1

// Memory is what a namespace must not lose: internal/state.json. Everything
// else below runtime/ and internal/ can be made again from it and the input,
// but for the certificate authorities.
type Memory struct {
	Schema   int    `json:"schema"`
	SiteID   string `json:"siteId"`
	RouterID string `json:"routerId"`

	// Platform is what the router runs as: "podman", "docker", or "" for a process
	// of the host.
	Platform string `json:"platform,omitempty"`

	// Stopped is set while the site is stopped on purpose.
	Stopped bool `json:"stopped"`

	// Generation counts the inputs that were applied, InputHash is that of the
	// newest.
	Generation int64  `json:"generation"`
	InputHash  string `json:"inputHash"`

	// Ports are those that were allocated, as site.Site.Ports.
	Ports map[string]int `json:"ports"`
	// ExtraHosts are the hosts that links were asked for, by RouterAccess.
	ExtraHosts map[string][]string `json:"extraHosts,omitempty"`
	// Credentials is what was issued, by name.
	Credentials map[string]Issue `json:"credentials"`
	// Links are the client certificates handed out to other sites.
	Links Ledger `json:"links,omitempty"`
	// Redeemed are the fingerprints of tokens that were exchanged.
	Redeemed []string `json:"redeemed,omitempty"`
}

// Issue is the newest certificate of a credential.
type Issue struct {
	Serial   string    `json:"serial"` // hexadecimal
	NotAfter time.Time `json:"notAfter"`
	// Ordinal counts the renewals, as the router's sslProfile does. Connections
	// made with a revision before Oldest are to end.
	Ordinal int64 `json:"ordinal"`
	Oldest  int64 `json:"oldest"`
}

// ParseMemory reads a Memory. No data gives the zero Memory. A file of a later
// schema is an error, lest it be overwritten.
func ParseMemory(data []byte) (Memory, error) {
	var m Memory
	if len(data) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Memory{}, fmt.Errorf("state.json: %w", err)
	}
	if m.Schema > memorySchema {
		return Memory{}, fmt.Errorf("state.json: written by a later version (schema %d, this program knows %d)", m.Schema, memorySchema)
	}
	return m, nil
}

// Encode writes m; the same m gives the same bytes.
func (m Memory) Encode() []byte {
	m.Schema = memorySchema
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("state: memory cannot be encoded: %v", err)) // it has no such types
	}
	return append(b, '\n')
}
