# Every target sets up what it needs: Python 3.11 or later with venv, and make, are enough.
#
#   make test PYTHON=/path/to/python3.12     another interpreter (after `make clean-venv`)
#   make test CONSTRAINTS=                   the newest versions instead of the known ones
#   make test ROOM=storage                   the tests of one room only (a folder of tests/)

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
UNFINISHED := $(VENV)/.unfinished
CONSTRAINTS ?= constraints.txt
# Never mix in what the caller has set up for other projects.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV MYPYPATH

SOURCES = $(shell find src flows tasks deployments -name __pycache__ -prune -o -name '*.egg-info' -prune -o -type f -print)
# The wheel's content, as installed. Linters of the whole package look at this folder, because an
# editable install hides the packages at the repository's root (flows, tasks) from them.
UNPACKED := build/unpacked
EMPTY := build/empty

.PHONY: help
help: ## say what there is to make
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## run the main job on bundled real data
	$(BIN)/tidemill demo

# Two processes, each with the tests of whole files: much of the time is waiting for programs to start.
# A slow file or page would keep one of them waiting for the other, so those are dealt out test by test.
# Make one of them, to see a test's output as it comes: make test PARALLEL=
PARALLEL ?= -n 2 --dist=loadfile

# One room: make test ROOM=storage, or a part of one: make test ROOM=calculators/kernels
.PHONY: test
test: $(STAMP) ## run the fast tests (15 minutes at most); of one room: make test ROOM=storage
	$(BIN)/python -m pytest $(PARALLEL) $(if $(ROOM),tests/$(ROOM)) -m "not slow and not docs" \
	    --session-timeout=2700

# They wait for servers and workers even more: with two processes the cores were idle for a third of the time.
.PHONY: slow
slow: $(STAMP) ## run the slow tests: clean installation, servers, whole clusters
	$(BIN)/python -m pytest $(subst -n 2,-n 3,$(PARALLEL:loadfile=worksteal)) -m "slow and not docs" \
	    --timeout=900

# Rounds of two compressed days, each with a seed of its own, and a line for each; Ctrl-C ends it.
HOURS ?= 1
SEED ?= 1
.PHONY: soak
soak: $(STAMP) ## run tables for hours with all that goes wrong: make soak HOURS=72 SEED=7
	TIDEMILL_SOAK_HOURS=$(HOURS) TIDEMILL_SOAK_SEED=$(SEED) \
	    $(BIN)/python -m pytest -m soak --capture=no

# The oldest versions that pyproject.toml allows, with the newest of all that they bring along.
# Their own deprecation warnings are theirs, so warnings are no errors here.
LOWEST := build/lowest
.PHONY: lowest
lowest: $(STAMP) ## run the tests with the lowest versions of all dependencies
	@rm -rf $(LOWEST) && $(BIN)/python -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --extra dev \
	    --python $(LOWEST)/bin/python pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
	    --requirement $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --editable .
	$(LOWEST)/bin/python -m pytest -m "not slow and not docs" -W default

.PHONY: check
check: lint types test docs slow wheel ## everything: what CI runs

.PHONY: lint
lint: $(STAMP) $(UNPACKED) ## style, format, and which room may import which
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	PYTHONPATH=$(UNPACKED) $(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache || failed=1; \
	exit $$failed

.PHONY: types
types: $(STAMP) $(UNPACKED) ## mypy on the installed wheel, from an empty folder
	@rm -rf $(EMPTY) && mkdir -p $(EMPTY)
	cd $(EMPTY) && MYPYPATH=$(CURDIR)/$(UNPACKED) $(BIN)/python -m mypy \
	    --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/build/mypy -p tidemill

.PHONY: docs
docs: $(STAMP) ## run the examples in docstrings and in the documentation's pages
	$(BIN)/python -m pytest $(PARALLEL:loadfile=load) tests/packaging/test_documentation.py --timeout=600

.PHONY: wheel
wheel: $(STAMP) ## build dist/*.whl and check what is in it
	@rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist >/dev/null
	TIDEMILL_WHEEL_DIR=$(CURDIR)/dist $(BIN)/python -m pytest -q -m "not slow" tests/packaging/test_wheel.py
	@ls dist

.PHONY: drawing
drawing: $(STAMP) ## draw docs/images/rooms.svg from the imports, after a change of them
	$(BIN)/python docs/make_architecture.py

.PHONY: screenshots
screenshots: $(STAMP) ## take docs/images/prefect_*.png and html_report.png, in Chromium
	TIDEMILL_PICTURES=$(CURDIR)/docs/images $(BIN)/python -m pytest --basetemp=/tmp/sea \
	    tests/deployments/test_page.py tests/reports/html/test_page.py

.PHONY: format
format: $(STAMP) ## let ruff repair style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove what was built (the virtual environment stays)
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf src/tidemill.egg-info
	find src flows tasks deployments tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-venv
clean-venv: ## remove the virtual environment too
	rm -rf $(VENV)

# To be on the path is not enough (a shim may have nothing behind it): each one is run. Prefect
# does not install on 3.15.
PYTHONS = $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)
CAN_RUN := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'

# The stamp is written last. A run that was interrupted leaves $(UNFINISHED) behind, and the next
# one starts afresh: half an installation cannot be told from a whole one.
$(STAMP): pyproject.toml $(wildcard $(CONSTRAINTS))
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    for python in $(PYTHONS); do \
	        $$python -c '$(CAN_RUN)' 2>/dev/null && break; \
	        python=; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "tidemill needs Python 3.11 to 3.14 with its venv module; tried: $(PYTHONS)."; \
	        echo "Install one (on Debian and Ubuntu: python3 and python3-venv), or name one:"; \
	        echo "    make PYTHON=/path/to/python3.12 ..."; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$python"; \
	    $$python -m venv --clear $(VENV) || exit 1; \
	fi
	@rm -f $(STAMP); touch $(UNFINISHED)
	@echo "Installing tidemill and what its tests need (once; one to three minutes)"
	@$(INSTALL) $(if $(wildcard $(CONSTRAINTS)),--constraint $(CONSTRAINTS) || { \
	    echo "Not to be had in the versions of $(CONSTRAINTS): trying any that fit."; $(INSTALL); })
	@mv $(UNFINISHED) $(STAMP)
	@touch $(STAMP)

# Built from a copy: setuptools packs whatever an earlier build left in its folder.
$(UNPACKED): $(STAMP) $(SOURCES) README.md LICENSE
	@rm -rf build/copy build/wheel $(UNPACKED)
	@mkdir -p build/copy/src build/wheel
	@cp -R pyproject.toml README.md LICENSE flows tasks deployments build/copy
	@cp -R src/tidemill build/copy/src
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel build/copy >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --target $(UNPACKED) build/wheel/*.whl
	@rm -rf build/copy
	@touch $(UNPACKED)
