# Chancery's daily commands; `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test bench clean

# Where the tests look for the real envoy, etcd and consul before they look on the PATH.
export CHANCERY_TOOLS := $(CURDIR)/.tools/bin

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run Chancery, two echo instances and Envoy on the files of examples/files/ until Ctrl-C; CHECK=1 verifies and exits
	@scripts/tools envoy
	@exec cargo run -- demo --envoy $(CHANCERY_TOOLS)/envoy $(if $(CHECK),--check)

test: ## format, lints, and every test, with the real Envoy, etcd and Consul
	@scripts/tools envoy etcd consul
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test

bench: ## 1, 100 and 1,000 delta streams on a real etcd: a table of times, bytes and memory beside a floor
	@scripts/tools etcd
	cargo bench --bench fleet

clean: ## remove what was built and fetched
	cargo clean
	rm -rf .tools .demo
