# One door for every habit; CI calls the same targets.
.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?= python3
RUN := $(VENV)/bin

.PHONY: help setup demo test e2e check bench-cost bench-run bench-emulator bench-collect bench-rollup bench-scale chaos clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## create .venv and install everything, pinned by constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## the whole story on the example season: nothing to configure, no key, nothing left running
	$(RUN)/touchline demo

test: setup ## every test: unit, integration, acceptance, on every core
	$(RUN)/python -m pytest --numprocesses auto tests/unit tests/integration tests/acceptance

e2e: $(VENV)/installed-e2e ## what a person sees: `touchline up` in a browser, and the compose file's parts as processes
	$(RUN)/python -m pytest tests/e2e

$(VENV)/installed-e2e: $(VENV)/installed
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,e2e]'
	@touch $@

check: setup ## lint, format and types
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

bench-cost: $(VENV)/installed-bench ## what 1,000 summaries cost, beside others; WORKLOAD=club for a short one, LANE=overnight for that part
	$(RUN)/python -m benchmarks.cost "$(WORKLOAD)" "$(LANE)"

$(VENV)/installed-bench: $(VENV)/installed
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

bench-run: setup ## time per insight and peak memory of a run, at 1,000 and at 10,000 insights
	$(RUN)/python -m benchmarks.run

bench-emulator: setup ## requests a second and memory of the emulator, over 100,000 requests (about 4 minutes)
	$(RUN)/python -m benchmarks.emulator

bench-collect: setup ## time and memory of collecting 100,000 results of a night, beside inserting them alone; COLLECT=10000 for a short one
	$(RUN)/python -m benchmarks.collect $(COLLECT)

bench-rollup: $(VENV)/installed-bench ## rollups of 5 million ledger rows, beside SQL, pandas and DuckDB; ROWS=500000 for a small run
	$(RUN)/python -m benchmarks.rollup $(ROWS)

bench-scale: setup ## one, two and four workers on one backlog of 5,000 insights; SCALE=500 for a short run
	$(RUN)/python -m benchmarks.scale_out $(SCALE)

chaos: setup ## kill flows, workers and Prefect's server in the middle of runs: what shows, for how long, what goes on
	$(RUN)/python -m benchmarks.crashes

clean: ## remove the virtual environment, caches and all local data
	rm -rf $(VENV) .touchline .mypy_cache .ruff_cache .pytest_cache .hypothesis
