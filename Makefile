# `make` lists the targets; README.md says what they are for.

SHELL    := bash
GO       ?= go
FUZZTIME ?= 1000x
SOAKTIME ?= 10

# All Go commands build alike, so that what one compiled serves the others; only
# the race detector needs cgo.
export GOFLAGS     := $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath
export CGO_ENABLED := 0

# The tools in .ci/tools.mod: staticcheck, oapi-codegen.
TOOL := $(GO) tool -modfile=$(CURDIR)/.ci/tools.mod

# What ./... leaves out: tests with modules of their own, which no program needs.
PACKAGING := internal/packaging

# Packages that only compute go without the race detector: SQLite alone takes
# five times as long with it. None of them may use sync.Map or generic atomics,
# whose code the linker could then take, without the detector, for all.
UNWATCHED := modernc.org/sqlite/lib golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b golang.org/x/crypto/scrypt crypto/internal/fips140/bigmod
RACE      := -race $(UNWATCHED:%=-gcflags=%=-race=false)

VERSION  := $(or $(shell git describe --tags --always --dirty 2>/dev/null),unknown)
COMMIT   := $(shell git rev-parse HEAD 2>/dev/null)
PROGRAMS := $(notdir $(wildcard cmd/*))

# The web client and the console are built where there is Node.js 20 or newer, and when
# their sources changed.
NPM         := $(shell node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm)
WEB         := web/dist/index.html
WEB_MODULES := web/node_modules/.package-lock.json
WEB_SOURCES := openapi.yaml console/openapi.yaml $(shell find web -name node_modules -prune -o -path web/dist -prune -o -path web/dist-console -prune -o -path web/e2e -prune -o -name '*.go' -prune -o -type f -print)

.DEFAULT_GOAL := help
.PHONY: help build web run test test-packaging tools check fuzz bench lint soak release cpp cpp-test cpp-windows clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(if $(NPM),$(WEB)) ## build the pages and the programs, into bin/
	@mkdir -p bin
	@for program in $(PROGRAMS); do \
		echo "building bin/$$program $(VERSION)"; \
		$(GO) build -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/$$program ./cmd/$$program || exit 1; \
	done

web: $(WEB) ## build the web client and the console, from where gateway and core have them

$(WEB_MODULES): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(WEB): $(WEB_MODULES) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

run: build ## build, and run core and gateway until Ctrl-C
	@exec scripts/run

test: tools lint build cpp-test ## all tests, with the race detector, and a little fuzzing
	CGO_ENABLED=1 COFFER_RACE="$(RACE)" $(GO) test $(RACE) -vet=off -timeout 20m ./...
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-packaging fuzz
ifdef NPM
	cd web && npm test && npm run e2e
else
	@echo "there is no Node.js 20 here: the web client was not tested" >&2
endif

# It waits for installations most of the time, so make test fuzzes meanwhile.
test-packaging:
	cd $(PACKAGING) && CGO_ENABLED=1 $(GO) test $(RACE) -vet=off -timeout 20m ./...

tools: ## install what the tests need and the machine lacks
	@.ci/tools

check: $(if $(NPM),$(WEB_MODULES)) ## what needs no running: formatting, go vet, generated code, the web client's types
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...) $(PACKAGING)) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	cd $(PACKAGING) && $(GO) vet ./...
	@GO='$(GO)' .ci/generated
ifdef NPM
	cd web && npm run check
endif

fuzz: ## every fuzz target for FUZZTIME (1000x) each
	@GO='$(GO)' FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: build cpp ## ratios of the whole system, then benchmarks with allocations
	$(GO) run ./internal/bench
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

lint: check ## check, and staticcheck: part of make test
	$(TOOL) staticcheck ./...
	cd $(PACKAGING) && $(TOOL) staticcheck ./...

soak: tools ## all tests SOAKTIME (10) times over, 10,000 kills, 500 restarts, 500,000 made-up calls, 5 GiB through each proxy, a release for every system, a minute of fuzzing each
	CGO_ENABLED=1 COFFER_RACE="$(RACE)" $(GO) test $(RACE) -count=$(SOAKTIME) -timeout 6h ./...
	cd $(PACKAGING) && CGO_ENABLED=1 $(GO) test $(RACE) -count=$(SOAKTIME) -timeout 6h ./...
	COFFER_KILLS=10000 $(GO) test -run TestKilledUnderLoad -timeout 12h ./internal/e2e
	COFFER_RESTARTS=500 $(GO) test -run TestRestartsUnderLoad -timeout 12h ./internal/e2e
	COFFER_BODY=5368709120 $(GO) test -run TestLargeBodiesThroughProxies -timeout 2h ./internal/e2e
	cd $(PACKAGING) && COFFER_RELEASE=1 $(GO) test -run TestReleaseForAll -timeout 2h ./deploy
	COFFER_CASES=500000 $(GO) test -run TestAgainstTheContract -timeout 12h ./api
	@GO='$(GO)' FUZZTIME=1m .ci/fuzz

release: tools $(if $(NPM),$(WEB)) ## programs for Linux, macOS and Windows, Debian packages, SBOMs and checksums, in dist/
	@GO='$(GO)' VERSION='$(VERSION)' COMMIT='$(COMMIT)' scripts/release

cpp: ## build the C++ client into bin/coffer-cpp
	@mkdir -p bin
	cd cpp && cmake --preset release -DCOFFER_TESTS=OFF -DCOFFER_VERSION=$(VERSION)
	cmake --build cpp/build/release --target coffer-cpp
	cp cpp/build/release/coffer-cpp bin/

cpp-test: tools ## the C++ client's tests: as released, with sanitizers, and fuzzed
	@.ci/cpp

cpp-windows: ## build bin/coffer-cpp.exe with mingw-w64, and try it where there is wine
	scripts/cpp-windows -DCOFFER_VERSION=$(VERSION)
	$(GO) test -count=1 -run TestCPPWindows -v ./internal/e2e

clean: ## remove what build made
	rm -rf bin dist cpp/build
