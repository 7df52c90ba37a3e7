# Every target works from a fresh clone without a step before it; only Python 3.11 (or later) and make are needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPING := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST := pytest -n 6 --dist worksteal
LOCK = uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help install install-dev backtest test test-busy check bench paper storm orders-storm middle soak lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

install: $(INSTALLED) ## sets up .venv with what running needs, from requirements.lock
install-dev: $(DEVELOPING) ## and with what tests, notebooks and search need, from requirements-dev.lock

# --no-compile: Python compiles what it imports, and most of what is installed is never imported.
# A second installation only when the lock file or the package's own description changed.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "onetape: Python 3.11 or later is needed; make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

# The tests start hundreds of interpreters, so here everything is compiled, on all cores at once.
$(DEVELOPING): requirements-dev.lock $(INSTALLED)
	$(PIP) --require-hashes -r requirements-dev.lock
	-$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib
	@touch $@

backtest: $(INSTALLED) ## replays the shipped sample: six years of real BTC/USDT candles
	$(BIN)/python -m app demo

check: $(DEVELOPING) ## format, lint and types
	$(BIN)/ruff format --check app scripts tests
	$(BIN)/ruff check app scripts tests
	$(BIN)/mypy

test: check ## check, then all tests
	$(BIN)/python -m $(PYTEST)

test-busy: check ## the same beside as many busy loops as there are cores: what fails only here waits too briefly
	$(BIN)/python -m tests.busy $(BIN)/python -m $(PYTEST)

bench: $(DEVELOPING) ## speed and memory, beside a bare Python loop; fetching and latency on the testnet; the report
	$(BIN)/python -m tests.bench.run
	$(BIN)/python -m tests.bench.fetch
	$(BIN)/python -m tests.bench.latency
	$(BIN)/python -m tests.bench.orders
	$(BIN)/python -m tests.bench.report

paper: $(INSTALLED) ## a rehearsal offline: a paper session on the testnet, then the proof that tape = history = live
	$(BIN)/python scripts/rehearse.py

storm: $(DEVELOPING) ## storms and kills, of fetches and paper sessions, against the truth; resumes where it was stopped
	$(BIN)/python -m tests.storm.run

orders-storm: $(DEVELOPING) ## real orders over sockets: each step x each fault x kill -9, and the table; resumes likewise
	$(BIN)/python -m tests.orders_storm.run

middle: $(DEVELOPING) ## a man in the middle damages frames, handshakes and REST of paper sessions in some 420 ways; resumes likewise
	$(BIN)/python -m tests.faults.middle_run

soak: $(DEVELOPING) ## 30 simulated days of a paper session, its sockets cut every hour: memory, tasks, tape, history
	$(BIN)/python -m tests.soak.run

lock: ## renews both lock files from pyproject.toml (needs uv); UPGRADE=--upgrade takes the newest versions
	$(LOCK) --all-extras -o requirements-dev.lock
	$(LOCK) --extra build -c requirements-dev.lock -o requirements.lock

clean: ## removes what make and the tools made; candles and runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
