# Everything here works on a Debian 12 that has only python3 (3.11), python3-venv, make and git.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON := .venv/bin/python
# `eval "$(...)"` alone would go on where there is no Engine.
ENGINE := engine=$$(tests/machine/engine) && eval "$$engine"
# Tests start hundreds of Python processes: without a bytecode cache each compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=
# Says itself where there is none.
BROWSER := tests/machine/browser
ROUNDS ?= 20
EVERY ?= 1

.PHONY: help venv format lint test-fast tests-without-engine test all-tests check demo up bench chaos crash-points clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/locked  ## set up .venv, exactly as requirements-dev.lock says

.venv/locked: requirements-dev.lock pyproject.toml
	@tests/machine/venv requirements-dev.lock

format: venv  ## bring the code into the one format
	@$(PYTHON) -m ruff check --fix -q .
	@$(PYTHON) -m ruff format -q .

lint: venv  ## check style and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check -q .
	@$(PYTHON) -m mypy --strict scar workers tests

# Lint needs one core: the tests need not wait for it.
test-fast: venv  ## lint, and the tests that need no Engine and no network: under a minute
	@$(MAKE) --no-print-directory -j 2 lint tests-without-engine

test: venv  ## lint, and all tests, on a Docker Engine that is found or set up in .run/
	@$(MAKE) --no-print-directory -j 2 lint all-tests

# Four processes on two cores, because a test also waits: for a disk, a socket, another thread.
tests-without-engine: venv
	@$(PYTHON) -m pytest -q -n 4 --dist worksteal -m "not engine and not network and not slow"

all-tests: venv
	@$(BROWSER) && $(ENGINE) && $(PYTHON) -m pytest -n 6 --dist worksteal --reruns 2

check: test  ## what CI runs: the same as `make test`

demo: venv  ## play a tour on a real Engine: status, deploy, logs, restart, through a chat
	@$(ENGINE) && $(PYTHON) -m tests.demo

up: venv  ## bring up what the demo plays on, and leave it up
	@$(ENGINE) && $(PYTHON) -m tests.demo --stay

bench: venv  ## measure every number that has a limit, and print the table
	@$(ENGINE) && $(PYTHON) -m tests.bench

chaos: venv  ## break everything, ROUNDS times (20), and compare what is left with what was promised
	@$(ENGINE) && $(PYTHON) -m tests.chaos --rounds $(ROUNDS)

crash-points: venv  ## kill a deploy at every EVERY-th (1) system call of each kind: takes hours
	@$(ENGINE) && $(PYTHON) -m tests.chaos --jobs 0 --rounds 0 --points $(EVERY)

clean:  ## end the private Engine and remove what was made here
	@tests/machine/engine stop
	@rm -rf .venv .run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
