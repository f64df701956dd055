# `make` lists the targets; README.md says what they are for.

SHELL    := bash
GO       ?= go
FUZZTIME ?= 1000x
SOAKTIME ?= 10

# The tools in .ci/tools.mod: staticcheck, oapi-codegen.
TOOL := $(GO) tool -modfile=.ci/tools.mod

VERSION  := $(or $(shell git describe --tags --always --dirty 2>/dev/null),unknown)
PROGRAMS := $(notdir $(wildcard cmd/*))

.DEFAULT_GOAL := help
.PHONY: help build run test tools check fuzz bench lint soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	@mkdir -p bin
	@for program in $(PROGRAMS); do \
		echo "building bin/$$program $(VERSION)"; \
		CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/$$program ./cmd/$$program || exit 1; \
	done

run: build ## build, and run core and gateway until Ctrl-C
	@exec scripts/run

test: tools check ## all tests, with the race detector, and a little fuzzing
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...
	@GO='$(GO)' FUZZTIME=$(FUZZTIME) .ci/fuzz

tools: ## install what the tests need and the machine lacks
	@.ci/tools

check: ## gofmt, go vet, and that generated code is current
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	@GO='$(GO)' .ci/generated

fuzz: ## every fuzz target for FUZZTIME (1000x) each
	@GO='$(GO)' FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: build ## ratios of the whole system, then benchmarks with allocations
	$(GO) run ./internal/bench
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

lint: check ## check, and staticcheck
	$(TOOL) staticcheck ./...

soak: tools ## all tests SOAKTIME (10) times over, 10,000 kills, then fuzz each target for a minute
	CGO_ENABLED=1 $(GO) test -race -count=$(SOAKTIME) -timeout 6h ./...
	COFFER_KILLS=10000 $(GO) test -run TestKilledUnderLoad -timeout 12h ./internal/e2e
	@GO='$(GO)' FUZZTIME=1m .ci/fuzz

clean: ## remove what build made
	rm -rf bin
