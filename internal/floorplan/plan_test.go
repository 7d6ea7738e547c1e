package floorplan

// row is what one package may and must not import. Packages of ours are
// written without the module path.
type row struct {
	pkg   string            // path below the module; a trailing /... covers what is below it too
	may   []string          // packages of ours that it may import; a trailing /... as above
	never map[string]string // imports refused with their reason, of ours or not
	calls map[string]string // calls refused with their reason, as "time.Now"
}

const (
	pure       = "it is a function of its arguments"
	noIO       = "wanted state is a value; reading and writing belong to system/host"
	vocabulary = "it is vocabulary that everybody imports"
)

// pureStd are the imports that would end the purity of a package.
func pureStd(reason string) map[string]string {
	return map[string]string{"net": reason, "os": reason, "log/slog": reason, "log": reason, "os/exec": reason}
}

// clockless are the calls that would give a pure package a clock.
func clockless() map[string]string {
	return map[string]string{"time.Now": pure, "time.Sleep": pure, "time.After": pure, "time.NewTimer": pure, "time.AfterFunc": pure}
}

// plan is the floor plan, bottom up in each tree.
func plan() []row {
	return []row{
		{pkg: "router/amqp", never: pureStd(pure), calls: clockless()},
		{pkg: "router/forward", never: pureStd(pure), calls: clockless()},
		{pkg: "router/config", never: map[string]string{"net": vocabulary, "log/slog": vocabulary}},
		{
			pkg: "router/session", may: []string{"router/amqp"},
			never: map[string]string{"net": "it must be testable as a function", "time": "it must be testable as a function", "log/slog": pure},
		},
		{
			pkg: "router/linkstate", may: []string{"router/amqp"},
			never: map[string]string{"net": pure, "log/slog": pure, "os": pure}, calls: clockless(),
		},
		{pkg: "router/journal"},
		{pkg: "router/nonblock"},
		{pkg: "router/conn", may: []string{"router/nonblock", "router/session", "router/amqp"}},
		{pkg: "router/trunk", may: []string{"router/conn", "router/session", "router/amqp"}},
		{pkg: "router/stream", may: []string{"router/session", "router/amqp"}, never: map[string]string{"net": "it works on bytes handed to it"}},
		{pkg: "router/tcp", may: []string{"router/nonblock", "router/stream", "router/session", "router/amqp"}},
		{pkg: "router/manage", may: []string{"router/amqp", "router/session", "router/config"}},
		{pkg: "router/manage/client", may: []string{"router/amqp", "router/session", "router/conn"}},
		{pkg: "router/vanflow", may: []string{"router/amqp", "router/session"}},
		{pkg: "router/observe", never: pureStd(pure), calls: clockless()},
		{pkg: "router/web"},
		{pkg: "router/interop"},
		{pkg: "packaging/ansible/tests"},
		{pkg: "router/bench"},
		{pkg: "router/sim", may: []string{"router/...", "router"}},
		{pkg: "router/sim/netpipe"},
		{pkg: "router", may: []string{"router/..."}},

		{pkg: "system/resource", never: pureStd(vocabulary)},
		{pkg: "system/state", may: []string{"system/container"}, never: map[string]string{"net": vocabulary, "log/slog": vocabulary}},
		{pkg: "system/layout", never: map[string]string{"net": vocabulary, "log/slog": vocabulary, "os": "the environment is read once, in main"}},
		{pkg: "system/site", may: []string{"system/resource"}, never: map[string]string{"os": "a check has no side effect", "log/slog": pure}, calls: clockless()},
		{
			pkg: "system/render", may: []string{"system/site", "system/state", "system/layout", "system/resource", "system/pki", "system/container", "router/config"},
			never: map[string]string{"net": noIO, "os": noIO, "log/slog": noIO}, calls: clockless(),
		},
		{pkg: "system/plan", may: []string{"system/state"}, never: pureStd(pure), calls: clockless()},
		{pkg: "system/pki"},
		{pkg: "system/systemd"},
		{pkg: "system/supervise"},
		{pkg: "system/container", never: map[string]string{"net": vocabulary, "os": vocabulary, "log/slog": vocabulary}, calls: clockless()},
		{pkg: "system/container/podman", may: []string{"system/container"}},
		{pkg: "system/container/docker", may: []string{"system/container"}},
		{pkg: "system/container/enginetest"}, // tests only
		{pkg: "system/container/image", may: []string{"system/container"}},
		{pkg: "system/watch"},
		{pkg: "system/token", may: []string{"system/resource", "system/pki"}},
		{pkg: "system/token/pipe", may: []string{"system/token"}},
		{
			pkg: "system/host", may: []string{"system/plan", "system/state", "system/systemd", "system/supervise", "system/container/...", "system/pki", "system/layout"},
		},
		{pkg: "system/input", may: []string{"system/resource", "system/layout"}},
		{pkg: "system/api"},
		{pkg: "system", may: []string{"system/...", "router/config", "router/manage/client", "router/vanflow"}},

		{pkg: "observer/record", never: pureStd(vocabulary), calls: clockless()},
		{pkg: "observer/network", may: []string{"observer/record", "router/vanflow"}, never: pureStd(pure), calls: clockless()},
		{pkg: "observer/query", never: pureStd(pure), calls: clockless()},
		{pkg: "observer/history", may: []string{"observer/network"}, never: pureStd(pure), calls: clockless()},
		{pkg: "observer/promql", may: []string{"observer/history", "observer/network"}, never: pureStd(pure), calls: clockless()},
		{pkg: "observer/access"},
		{pkg: "observer/recorded", may: []string{"observer/network", "router/vanflow"}}, // tests only
		{pkg: "observer/metrics", may: []string{"observer/history", "observer/network", "observer/record"}},
		{
			pkg: "observer/api", may: []string{"observer/history", "observer/network", "observer/promql", "observer/query", "observer/record"},
			never: map[string]string{"observer/access": "who may ask is decided around it"},
		},
		{pkg: "observer/collect", may: []string{"observer/network", "router/vanflow"}},
		{
			pkg: "observer/...", may: []string{"observer/...", "router/amqp", "router/session", "router/conn", "router/vanflow"},
		},
		{pkg: "bundle", may: []string{"system/resource", "system/site", "system/layout"}},

		{pkg: "cmd/skupper/internal/command"},
		{pkg: "cmd/skupper/internal/footprint"},
		{pkg: "cmd/skupper/internal/manual", may: []string{"cmd/skupper/internal/command"}},
		{pkg: "cmd/skupper/internal/output"},
		{pkg: "cmd/skupper", may: []string{"cmd/skupper/internal/...", "system", "system/...", "bundle", "router", "router/config", "observer", "observer/access", "observer/record"}},
		{pkg: "internal/box"},      // for tests
		{pkg: "internal/captures"}, // tests only
		{pkg: "internal/demo"},
		{pkg: "internal/freeport"}, // tests only
		{pkg: "internal/pack"},
		{pkg: "internal/scale"},
		{pkg: "internal/floorplan"},
	}
}

// words that say nothing, and where they must not stand.
func emptyWords() map[string]string {
	return map[string]string{
		"util": "everywhere", "utils": "everywhere", "common": "everywhere", "helper": "everywhere", "helpers": "everywhere",
		"manager": "everywhere", "impl": "everywhere", "wrapper": "everywhere",
		"base": "packages", "handler": "packages", "info": "packages", "data": "packages", "service": "packages", "misc": "everywhere",
	}
}

// goroutines lists the files that may start a goroutine by a go statement
// instead of sync.WaitGroup.Go, and who waits for it.
func goroutines() map[string]string {
	return map[string]string{
		"cmd/skupper/program.go": "waits for a person who types; nothing is left to do when a signal ends the command first",
		"cmd/skupper/daemon.go":  "waits for a child that outlives the command; nothing is left to do when the command ends first",
	}
}

// sleeps lists test files that may sleep in real time, and why.
func sleeps() map[string]string {
	return map[string]string{}
}

// variables lists package variables that change, as package.name, and why.
func variables() map[string]string {
	return map[string]string{}
}
