# Everything a newcomer needs: `make serve` runs the proxy, `make test` runs all tests. `make help` lists the rest.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install serve test lint format bench bench-profile conformance crash clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.runtime ## Make .venv with the command in it: .venv/bin/sluicegate

serve: $(VENV)/.runtime ## Start the proxy on its defaults (ARGS="--rate-default 5/second" adds options)
	@exec $(BIN)/sluicegate serve --hints $(ARGS)

test: $(VENV)/.dev ## Run all tests (ARGS="-k lane" picks some); installs the programs they need
	@scripts/test-programs
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## Check style, types, the import contracts and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_tests_mirror.py
	scripts/lint-dockerfile

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure against Squid and mitmdump, in one run; prints ratios (ARGS="--full --picture")
	@scripts/test-programs squid nginx wrk
	@$(BIN)/python tests/bench/run.py $(ARGS)

bench-profile: $(VENV)/.dev ## Show which functions the time of a hit and of a miss goes to
	@scripts/test-programs nginx wrk
	@$(BIN)/python tests/bench/profile_run.py $(ARGS)

conformance: $(VENV)/.dev ## Run the public HTTP cache test-suite and print its figures
	@scripts/test-programs node npm
	@$(BIN)/python tests/conformance/run_suite.py $(ARGS)

crash: $(VENV)/.dev ## Kill the proxy again and again while it writes, and check what it serves (ARGS="--rounds 300")
	@$(BIN)/python tests/crash/run.py $(ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.runtime: pyproject.toml uv.lock scripts/bootstrap
	@scripts/bootstrap $(VENV)
	@$(UV) sync --quiet --frozen --inexact --compile-bytecode --no-dev
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@$(UV) sync --quiet --frozen --inexact --compile-bytecode
	@touch $@
