# `make help` lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
FUZZTIME ?= 30s
ROUNDS  ?= 5
BULK    ?= 1073741824
TOOL     = $(GO) tool -modfile=tools/go.mod
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
TIMEOUT  = -timeout 15m

.DEFAULT_GOAL := build
.PHONY: build help demo demo-down test test-deps race interop recovery bench scale check fmt trixie trixie-tree kills fuzz golden docs package console pictures clean

build: ## build the static binary ./skupper
	$(BUILD) -o skupper ./cmd/skupper

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-10s %s\n", $$1, $$2}'

demo: build ## two linked sites on this machine and a request through them
	@$(BUILD) -o dist/demo ./internal/demo
	@dist/demo up $(CURDIR)/skupper $(CURDIR)/testdata/sites/hello-world

demo-down: ## remove what make demo made
	@$(BUILD) -o dist/demo ./internal/demo
	@dist/demo down $(CURDIR)/skupper

# Many tests wait for processes and booted hosts: three packages at a time keep
# two CPUs busy.
test: ## every test
	$(GO) test -p 3 $(TIMEOUT) ./...

test-deps: ## install what the tests that need more than Go use (Debian, as root)
	./.ci/test-deps

# router/interop only drives processes, which are not built with the detector, and
# observer/console a browser: what they run is raced by the tests of its own package.
# What is told of faults, and examples, by the same processes: scripts and scenarios race those.
race: ## the tests of our own processes under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -p 3 $(TIMEOUT) -skip '^Test(TruthOf|Cures|ExamplesRun|PodmanWithoutSystemd)' $$($(GO) list ./... | grep -v -e /router/interop -e /observer/console)

interop: build ## networks of our router and upstream's (SKROUTERD=/path/to/skrouterd), as a table
	@mkdir -p dist
	INTEROP_TABLE=$(CURDIR)/dist/interop.md INTEROP_BULK=$(BULK) SKUPPER=$(CURDIR)/skupper $(GO) test -count=1 -timeout 3h ./router/interop -run 'TestNetworks|TestObserved' || { cat dist/interop.md; exit 1; }
	@cat dist/interop.md

recovery: build ## how long networks take to work again, ours beside upstream's (SKROUTERD=/path/to/skrouterd)
	@mkdir -p dist
	INTEROP_TIMES=$(CURDIR)/dist/recovery.md SKUPPER=$(CURDIR)/skupper $(GO) test -count=1 -timeout 3h ./router/interop -run TestRecoveryTimes
	@cat dist/recovery.md

bench: build ## two routers beside a bare TLS proxy pair: throughput, CPU, latency, memory
	$(BUILD) -o dist/bench ./router/bench
	dist/bench -program ./skupper -rounds $(ROUNDS)

scale: build ## large sites, and many sites on one host: time and memory
	$(BUILD) -o dist/scale ./internal/scale
	dist/scale -program ./skupper $(SCALE)

ARCHES ?= amd64 arm64
EPOCH  ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

package: ## DEB, RPM and archive for each of ARCHES, in dist/packages
	@rm -rf dist/packages && mkdir -p dist/packages
	CGO_ENABLED=0 $(GO) build -trimpath -modfile=tools/package.mod -o dist/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm
	$(GO) build -o dist/pack ./internal/pack
	for arch in $(ARCHES); do \
	  GOARCH=$$arch $(BUILD) -o dist/$$arch/skupper ./cmd/skupper && \
	  SOURCE_DATE_EPOCH=$(EPOCH) dist/pack -program dist/$$arch/skupper -arch $$arch -version $(VERSION) -into dist/packages -nfpm dist/nfpm || exit 1; \
	done
	cd dist/packages && sha256sum *.deb *.rpm *.tar.gz > SHA256SUMS
	@ls -l dist/packages

check: ## formatting, vet, linters, floor plan, stale documents, go.mod
	@test -z "$$($(TOOL) gofumpt -l $$(git ls-files '*.go') | tee /dev/stderr)" || { echo 'run: make fmt' >&2; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) ineffassign ./...
	$(TOOL) unparam ./...
	$(TOOL) exhaustive -d ./...
	$(TOOL) misspell -error $$(git ls-files '*.go' '*.md')
	$(GO) test ./internal/floorplan
	$(GO) run ./cmd/skupper generate-docs check packaging
	$(GO) mod tidy -diff

fmt: ## format every Go file
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

# The mirror of Debian that this machine uses; without one, mmdebstrap knows its own.
MIRROR ?= $(shell apt-get indextargets --format '$$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -m1 '/debian$$')

# The tree is made once, outside of the checkout; hosts are booted on top of it.
# Without what nobody there reads or runs.
TRIXIE ?= $(or $(SKUPPER_BOX_TRIXIE),$(or $(XDG_CACHE_HOME),/var/cache)/skupper-host/trixie)
WITHOUT = /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/libexec/podman/podman-testing /usr/bin/ctr /usr/bin/containerd-shim /usr/bin/containerd-shim-runc-v1

trixie: trixie-tree ## the life of sites with the systemd, podman and Docker of Debian 13 (as root, with mmdebstrap)
	SKUPPER_BOX_TRIXIE=$(TRIXIE) $(GO) test -count=1 $(TIMEOUT) ./cmd/skupper -run '(TestUnderSystemd|TestContainers)/Debian_13'

trixie-tree: ## a root file system of Debian 13 with podman and Docker, for make test with SKUPPER_BOX_TRIXIE (as root, with mmdebstrap)
	@test -d $(TRIXIE) || { mkdir -p $(dir $(TRIXIE)) && rm -rf $(TRIXIE).new && \
	  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "5"' --dpkgopt=force-unsafe-io \
	    $(patsubst %,--dpkgopt='path-exclude=%',$(WITHOUT)) \
	    --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,iproute2,procps,podman,crun,uidmap,passt,netavark,iptables,docker.io,docker-cli,runc trixie $(TRIXIE).new $(MIRROR) && \
	  mv $(TRIXIE).new $(TRIXIE); }

kills: ## a site whose command, agent or router is killed 200 times at random moments, and one that loses power at each step
	$(GO) test $(TIMEOUT) ./cmd/skupper -run TestKilledAtAnyMoment -kills 200
	$(GO) test $(TIMEOUT) ./system -run TestPowerCutAtEachStep -powercuts

fuzz: ## each fuzz target for FUZZTIME (30s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

golden: ## rewrite the golden files, then show the difference
	$(GO) test $$(git grep -l 'flag.Bool("update"' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's,^,./,') -update
	git diff --stat

docs: ## man pages, command reference and completion from the command tables
	$(GO) run ./cmd/skupper generate-docs all packaging

console: ## the libraries of the observer's console again, from its package-lock.json (needs npm)
	./observer/console/npm/vendor
	git diff --stat observer/console

pictures: ## the pictures of docs/console.md (needs Chromium)
	@mkdir -p docs/console
	$(GO) test -count=1 ./observer/console -run TestPictures -pictures $(CURDIR)/docs/console
	git diff --stat docs/console

clean: ## remove what was built
	rm -rf skupper dist
