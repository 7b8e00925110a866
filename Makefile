# The two commands to know: `make demo` and `make test`. Each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help setup setup-dev demo test lint bench lock clean

help: ## show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(RUN_STAMP) ## make .venv and install maskloop

setup-dev: $(DEV_STAMP) ## the same with what tests and linters need

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maskloop needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.lock
	touch $@

demo: setup ## set up, start the embedded services, run the main job on the concept world
	$(BIN)/maskloop demo $(if $(JSON),--json $(JSON))

test: setup-dev ## set up and run all tests; ARGS are pytest's, -n 0 for one process
	$(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)

lint: setup-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup-dev ## run the benchmarks; JSON=1 prints one JSON object a row
	$(BIN)/python -m benchmarks $(if $(JSON),--json)

lock: $(BIN)/python ## resolve pyproject.toml anew and pin it
	$(BIN)/python .ci/lock

clean: ## remove the environment and the embedded services' files
	-$(BIN)/maskloop down
	rm -rf $(VENV) .maskloop
