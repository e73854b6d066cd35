# make results: the default run, from nothing to the report.   make test: the tests, make test-fast: without the slow ones.   make lint: formats and lints.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc 2>/dev/null || echo 1)

.PHONY: results test test-fast lint clean
.DELETE_ON_ERROR:

results: $(VENV)/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES) --logger gpip
	@echo "report: $(CURDIR)/results/report/index.html"

test: $(VENV)/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest

# A worker for each core; a module's tests stay on one worker, so that what they share is made once.
test-fast: $(VENV)/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m "not slow" --numprocesses $(CORES) --dist loadfile

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

# torch first: asked for by another package, pip would take its newest build. For the small build without CUDA give
#   make results TORCH_INDEX='--index-url https://download.pytorch.org/whl/cpu'
# Wheels only; connection_pool (of Snakemake) has none and is pure Python. `ready` appears once all is installed.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
WHEELS := --only-binary=:all: --no-binary=connection_pool

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gpip needs Python 3.11 or later; give another one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet $(WHEELS) $(TORCH_INDEX) $(TORCH)
	$(BIN)/python -m pip install --quiet $(WHEELS) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .snakemake
