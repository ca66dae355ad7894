# Everything here works on a Debian 12 that has only python3 (3.11), python3-venv, make and git.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON := .venv/bin/python
# `eval "$(...)"` alone would go on where there is no Engine.
ENGINE := engine=$$(tests/machine/engine) && eval "$$engine"
ROUNDS ?= 20

.PHONY: help venv demo up test lint bench chaos clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/locked  ## the virtual environment, exactly as locked

.venv/locked: requirements-dev.lock pyproject.toml
	@tests/machine/venv requirements-dev.lock

demo: venv  ## a tour on a real Engine: status, deploy, logs, restart, through a chat
	@$(ENGINE) && $(PYTHON) -m tests.demo

up: venv  ## the same, and it stays up
	@$(ENGINE) && $(PYTHON) -m tests.demo --stay

lint: venv  ## style and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check -q .
	@$(PYTHON) -m mypy --strict scar workers tests

test: lint  ## the whole test suite
	@$(ENGINE) && $(PYTHON) -m pytest -n 4 --dist loadfile

bench: venv  ## the benchmark table
	@$(ENGINE) && $(PYTHON) -m tests.bench

chaos: venv  ## kill everything, ROUNDS times, and look what is left
	@$(ENGINE) && $(PYTHON) -m tests.chaos --rounds $(ROUNDS)

clean:  ## end the private Engine and remove what was made here
	@tests/machine/engine stop
	@rm -rf .venv .run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
