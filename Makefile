# Each target is one script or one cargo command, so that everything also works without make.

.DEFAULT_GOAL := help
PREFIX ?= /usr/local
SETUP ?= 1
.PHONY: help build run test install dist tools audit bench profile instruction-counts bench-watch bench-probes bench-status-page compare-accuracy fuzz image deploy destroy deploy-local destroy-local fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build both programs: target/release/nowd and target/release/nowcheck
	@scripts/release-build

run: ## build nowd and nowcheck, serve on port 8080 (PORT=9000 for another) and watch it on a dashboard until Ctrl-C
	@scripts/run

test: ## install what the tests need (SETUP=0: nothing), then run every check there is
	@SETUP="$(SETUP)" scripts/test

install: ## install both programs, man pages and completions (PREFIX=/usr/local, DESTDIR=)
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" scripts/install

dist: ## make what a release consists of in build/dist: static tar.gz, .deb, .rpm, SBOM, checksums
	@scripts/dist $(ARGS)

tools: ## install what the tests need, with cargo-deny, which takes minutes to build
	@scripts/setup-tests all

audit: tools ## look for known vulnerabilities in the dependencies (needs the network)
	@PATH="$(CURDIR)/build/tools/bin:$$PATH" cargo deny --locked check advisories

bench: ## measure nowd beside other servers (CPU time, latency, scaling), and a round of nowcheck beside other tools (ARGS=--write)
	@scripts/bench $(ARGS)

profile: ## print where the instructions of a request to nowd go (ARGS=--write)
	@scripts/profile $(ARGS)

instruction-counts: ## hold the instructions of the hot paths to those that are stored (ARGS=--write stores them)
	@scripts/instruction-counts $(ARGS)

bench-watch: ## measure `nowcheck watch` beside blackbox_exporter and a loop that only connects, and its dashboard (ARGS=--write)
	@scripts/bench-watch $(ARGS)

bench-probes: ## measure the rounds on request of `nowcheck watch` (ARGS=--write)
	@scripts/bench-probes $(ARGS)

bench-status-page: ## measure what the status page of `nowcheck watch` costs its rounds (ARGS=--write)
	@scripts/bench-status-page $(ARGS)

compare-accuracy: ## ask nowcheck, htpdate, check_http and naive scripts about the same wrong clocks (ARGS=--quick, ARGS=--write)
	@scripts/compare-accuracy $(ARGS)

fuzz: ## search for inputs that break a parser, each for FUZZ_SECONDS=30 (ARGS=plan: only that one)
	@scripts/fuzz $(ARGS)

image: ## build the container images of nowd and nowcheck (needs a Docker engine, but no registry)
	@scripts/image $(ARGS)

deploy: ## deploy to AWS (ARGS='-e aws_region=eu-west-1', ARGS=--check; the settings are in group_vars/all.yml)
	@scripts/deploy $(ARGS)

destroy: ## take away everything that was deployed, after asking (ARGS='-e keep_logs=true')
	@scripts/deploy destroy $(ARGS)

deploy-local: ## the same deployment, to an AWS on this machine that it starts (needs a Docker engine)
	@scripts/deploy-local $(ARGS)

destroy-local: ## take that away again, and end it
	@scripts/deploy-local destroy $(ARGS)

fmt: ## format the Rust code
	@cargo fmt --all

clean: ## remove everything that was built or installed in this directory, but for the hooks of git
	@cargo clean
	@rm -rf .venv .pytest_cache
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name hooks -exec rm -r {} +; fi
