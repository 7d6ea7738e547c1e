package state

import (
	"encoding/json"
	"errors"
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

// ErrLater is returned by ParseMemory for a file of a later version of this program.
var ErrLater = errors.New("written by a later version of this program")

// ParseMemory reads a Memory. Whatever was not written by Encode is an error, lest
// a namespace become another one: also a file that is empty.
func ParseMemory(data []byte) (Memory, error) {
	var m Memory
	if len(data) == 0 {
		return Memory{}, errors.New("it is empty")
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Memory{}, err
	}
	switch {
	case m.Schema > memorySchema:
		return Memory{}, fmt.Errorf("%w (schema %d, this one knows %d)", ErrLater, m.Schema, memorySchema)
	case m.Schema < 1:
		return Memory{}, errors.New("it has no schema")
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
