# Every target works from a fresh clone without a step before it; only Python 3.11 (or later) and make are needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install backtest test check bench paper storm soak clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## sets up .venv from requirements.lock

# A second installation only when the lock file or the package's own description changed.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "onetape: Python 3.11 or later is needed; make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

backtest: $(INSTALLED) ## replays the shipped sample: six years of real BTC/USDT candles
	$(BIN)/python -m app --mode backtest --config config/sample/live.yaml --cache data/sample --offline --start 2017-08-17T04:00 --end 2024-01-02

check: $(INSTALLED) ## format, lint and types
	$(BIN)/ruff format --check app scripts tests
	$(BIN)/ruff check app scripts tests
	$(BIN)/mypy

test: check ## check, then all tests
	$(BIN)/python -m pytest -n 4 --dist worksteal

bench: $(INSTALLED) ## speed and memory, beside a bare Python loop; fetching and latency on the testnet; the report
	$(BIN)/python -m tests.bench.run
	$(BIN)/python -m tests.bench.fetch
	$(BIN)/python -m tests.bench.latency
	$(BIN)/python -m tests.bench.report

paper: $(INSTALLED) ## a rehearsal offline: a paper session on the testnet, then the proof that tape = history = live
	$(BIN)/python scripts/rehearse.py

storm: $(INSTALLED) ## storms and kills, of fetches and paper sessions, against the truth; resumes where it was stopped
	$(BIN)/python -m tests.storm.run

soak: $(INSTALLED) ## 30 simulated days of a paper session, its sockets cut every hour: memory, tasks, tape, history
	$(BIN)/python -m tests.soak.run

clean: ## removes what make and the tools made; candles and runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
