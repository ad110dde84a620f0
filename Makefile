# `make` alone lists the targets. Each one sets up .venv first if need be; a second call installs nothing.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
BENCH_READY := $(VENV)/bench-ready

# Real data sets and a real model, where this machine has them; the tests themselves know only these two variables.
export MLRECIPE_TEST_DATA ?= $(abspath ../shared/data)
export MLRECIPE_TEST_MODEL ?= $(HOME)/.cache/mlrecipe-models/all-MiniLM-L6-v2
GET_MODEL := ../shared/bin/get-minilm

DEMO := build/demo
DEMO_ACCURACY := 0.75

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-real test-pythons lint format docs bench bench-engines clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything for work on the project

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,bench]'
	@touch $@

demo: $(READY) ## new project, trained and tested from nothing, offline, on a CPU
	rm -rf $(DEMO)
	env -u MLRECIPE_STORE HF_HUB_OFFLINE=1 $(BIN)/mlrecipe new $(DEMO)
	cd $(DEMO) && env -u MLRECIPE_STORE HF_HUB_OFFLINE=1 $(abspath $(BIN))/mlrecipe run demo.toml
	$(BIN)/python tests/tools/check_demo.py $(DEMO) $(DEMO_ACCURACY)

test: $(READY) ## all tests but those marked long, real or bench
	$(BIN)/python -m pytest -q -m 'not long and not real and not bench' -n $(WORKERS) --dist loadfile

test-real: $(READY) ## tests that take long, and those on real data and a real model, where they are
	$(BIN)/python -m pytest -q -m 'long and not real' -n $(WORKERS) --dist loadfile
	@tests/tools/test_real.sh $(BIN)/python $(GET_MODEL)

test-pythons: ## the light tests on every other Python here, each in a throw-away environment without torch
	@tests/tools/test_pythons.sh

lint: $(READY) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict mlrecipe
	$(BIN)/lint-imports

format: $(READY) ## put the code into the shape that lint wants
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## write docs/reference from the code, and check that every link leads somewhere
	$(BIN)/python docs/make_reference.py
	$(BIN)/python tests/tools/check_links.py README.md CHANGELOG.md docs

bench: $(BENCH_READY) ## measure against peers and limits (an hour or so); tables for docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.noop
	$(BIN)/python -m tests.benchmarks.check
	$(BIN)/python -m tests.benchmarks.completion
	$(BIN)/python -m tests.benchmarks.load
	$(BIN)/python -m tests.benchmarks.digest
	$(BIN)/python -m tests.benchmarks.batches
	$(BIN)/python -m tests.benchmarks.report
	@tests/tools/bench.sh $(BIN)/python $(GET_MODEL)

bench-engines: $(READY) ## nothing to do, beside DVC and Snakemake (installed under build/peers; needs an index of packages)
	$(BIN)/python -m tests.benchmarks.engines --peers build/peers

clean: ## remove what the other targets made, .venv included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find mlrecipe tests -name __pycache__ -type d -prune -exec rm -rf {} +
