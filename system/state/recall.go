package state

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/skupper-host/skupper/system/container"
)

// localListener is the listener for tools of the host, by which its port is
// known.
const localListener = "skupper-local-normal"

// Recall makes the memory of a namespace from its router's configuration: for a
// namespace that upstream's tools made, or one whose state.json was lost. What
// cannot be known is left empty. A configuration of ours gives a Generation: the
// site was started, whether or not it is stopped by now.
//
// compat: the site id is in the router's metadata; a listener is named
// <access>-<role>.
func Recall(config []byte) (Memory, error) {
	list, err := Entities(config)
	if err != nil {
		return Memory{}, err
	}
	m := Memory{Ports: make(map[string]int), Credentials: make(map[string]Issue)}
	for _, e := range list {
		switch e.Type {
		case "router":
			m.RouterID = e.Attrs["id"]
			var ours bool
			if m.SiteID, m.Platform, ours = metadata(e.Attrs["metadata"]); ours {
				m.Generation = 1 // or any later one: it was started
			}
		case "listener":
			if key := portKey(e); key != "" {
				if port, err := strconv.Atoi(e.Attrs["port"]); err == nil && port > 0 {
					m.Ports[key] = port
				}
			}
		case "sslProfile":
			ordinal, _ := strconv.ParseInt(e.Attrs["ordinal"], 10, 64) // absent is 0
			oldest, _ := strconv.ParseInt(e.Attrs["oldestValidOrdinal"], 10, 64)
			if ordinal > 0 {
				m.Credentials[e.Name] = Issue{Ordinal: ordinal, Oldest: oldest}
			}
		}
	}
	return m, nil
}

// metadata reads the router's metadata: a JSON object with an id, or the id. Only
// ours names the site, too, and only then the platform counts: what upstream's
// tools ran in a container becomes a process.
func metadata(text string) (id, platform string, ours bool) {
	if !strings.HasPrefix(text, "{") {
		return text, "", false
	}
	var m struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Platform string `json:"platform"`
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return "", "", false
	}
	if m.Name != "" && container.Known(m.Platform) {
		platform = m.Platform
	}
	return m.ID, platform, m.Name != ""
}

// portKey is the key of Memory.Ports for a listener.
func portKey(e Entity) string {
	if e.Name == localListener {
		return strings.TrimSuffix(localListener, "-normal")
	}
	if access, ok := strings.CutSuffix(e.Name, "-"+e.Attrs["role"]); ok && access != "" {
		return access + "/" + e.Attrs["role"]
	}
	return ""
}
