# Chancery's daily commands; `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check many soak rules packaging sbom bench web clean

# Where the tests look for the real envoy, etcd and consul first, then in .tools/bin, then on the PATH. Another Envoy lies
# in a folder of its own.
export CHANCERY_TOOLS := $(CURDIR)/.tools/$(if $(ENVOY),envoy-$(subst /,-,$(ENVOY)),bin)
envoy := envoy$(if $(ENVOY),=$(ENVOY))
MINUTES := 30
# Those that are served beside the newest.
older := 1.36 1.37 1.38 1.39

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run Chancery with etcd, Consul, two echo instances and two Envoys until Ctrl-C; FILES=1 on files instead; CHECK=1 verifies and exits
	@scripts/tools $(envoy) $(if $(FILES),,etcd consul)
	@test -e $${CARGO_TARGET_DIR:-target}/debug/chancery || echo "Chancery is compiled first: about 300 crates, two or three minutes on two cores, and only this once; then everything starts by itself."
	@exec cargo run -- demo --envoy $(CHANCERY_TOOLS)/envoy $(if $(FILES),,--etcd $(CURDIR)/.tools/bin/etcd --consul $(CURDIR)/.tools/bin/consul) $(if $(CHECK),--check)

test: ## format, lints, and every test, with the real Envoy, etcd, Consul, Redis and OpenBao; ENVOY=1.38 or ENVOY=/path/to/envoy picks another Envoy
	@scripts/tools $(envoy) $(older:%=envoy=%) etcd consul redis-server bao librdkafka.so
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test --no-fail-fast

check: ## what the program is made of: licences, sources and known weaknesses of libraries; the Helm chart; the release workflow
	@scripts/check

# Those are the tests that are called many_something. Whatever takes longer than this hangs.
many: ## the tests that need many of something with thousands, where `make test` has hundreds: half an hour at most
	@scripts/tools $(envoy) etcd consul
	CHANCERY_MANY=1 timeout --foreground 30m cargo test --no-fail-fast --test "*" -- --nocapture ::many_

# It ends by itself some minutes later; what hangs then is a finding.
soak: ## half an hour of changes, kills and stalls under load, with Envoys of two versions; MINUTES=3, SEED=7, TURNING=1, JSON=file
	@scripts/tools $(envoy) envoy=1.38 etcd consul
	timeout --foreground $$(( $(MINUTES) + 20 ))m cargo test --test soak -- --minutes $(MINUTES) $(SEED:%=--seed %) $(if $(TURNING),--turning) $(JSON:%=--json %)

rules: ## check the alerts of contrib/prometheus and run their cases; promtool has to be on the PATH
	@command -v promtool >/dev/null || { echo "promtool is not on the PATH: it comes with Prometheus (Debian's package is called prometheus)" >&2; exit 1; }
	promtool check rules contrib/prometheus/rules.yaml
	promtool test rules contrib/prometheus/rules_test.yaml

packaging: ## what the Dockerfile builds and starts, without an engine; the Debian package; vendored sources offline; a git dependency
	@scripts/packaging

# Nothing but this needs node: tests/web/README.md says what it takes.
web: ## the dashboard's tasks in a real browser, on the real servers, and its types; pictures are left in target/web/; ONLY="drained"
	@command -v node >/dev/null || { echo "node is not on the PATH: tests/web/README.md says what this needs" >&2; exit 1; }
	@scripts/tools $(envoy) etcd consul
	@cd tests/web && npm install --no-package-lock --no-audit --no-fund --silent
	tests/web/node_modules/.bin/tsc -p web/tsconfig.json
	cargo build --bin chancery
	timeout --foreground 20m node tests/web/play.mjs $(if $(ONLY),"$(ONLY)")

sbom: ## the parts of the program as CycloneDX: target/sbom/chancery.cdx.json
	@scripts/tools cargo-cyclonedx
	@scripts/sbom

bench: ## every bench in a release build, each beside a floor, and its table: half an hour; QUICK=1, JSON=file, BENCHES="gateway fleet"
	@scripts/tools $(envoy) etcd consul
	scripts/bench $(if $(QUICK),--quick) $(JSON:%=--json %) $(BENCHES)

clean: ## remove what was built and fetched
	cargo clean
	rm -rf .tools .demo
