# Each target is a line or two that can be typed by hand; README.md shows the plain pip commands beside it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test check docs package reproduce bench clean install-all

run: .venv/installed  ## simulate the paper's scenario and the Munich recording under every policy
	$(BIN)/quedge demo

test: .venv/installed-test  ## the whole test suite
	$(BIN)/python -m pytest

check: .venv/installed-test  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@echo "Check: fine"

docs: .venv/installed-docs  ## these pages, strictly and without the network: build/docs/index.html
	$(BIN)/sphinx-build -W --keep-going -n -q docs build/docs
	@echo "Documentation: fine"

package: .venv/installed-package  ## dist/, built, checked, and its wheel tried in an empty environment
	.ci/package $(BIN)/python

reproduce: .venv/installed-test  ## every figure and table of the paper, and ours beside them: results/report.html
	$(BIN)/quedge reproduce all

bench: .venv/installed-test  ## the benchmark table
	NUMBA_NUM_THREADS=1 $(BIN)/python -m benchmarks.table

install-all: .venv/bin/python  ## what the four of CI need, in one go
	$(PIP) -e '.[all,test,docs,package]'
	touch .venv/installed .venv/installed-test .venv/installed-docs .venv/installed-package

clean:  ## what make and Python left behind
	rm -rf .venv results dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[plot]'
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) -e '.[all,test]'
	touch $@

.venv/installed-package: .venv/installed
	$(PIP) -e '.[package]'
	touch $@

.venv/installed-docs: .venv/installed-test
	$(PIP) -e '.[docs]'
	touch $@
