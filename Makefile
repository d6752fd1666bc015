# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard csrc/*.* csrc/kernels/*.*)

.PHONY: demo test check bench bench-ops bench-growth docs lint clean

demo: $(VENV)/.demo
	$(BIN)/python examples/mnist_two_ways.py

test: $(VENV)/.test
	$(BIN)/python -m pytest

# What CI runs: lint, formatting, and all tests.
check: lint test

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror csrc/*.h csrc/*.cpp csrc/kernels/*.h csrc/kernels/*.cpp

# BENCH="--only lenet" and the like; docs/benchmarks.md tells how to name the peers.
bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(BENCH)

bench-ops: $(VENV)/.test
	$(BIN)/python -m benchmarks.ops $(BENCH)

bench-growth: $(VENV)/.test
	$(BIN)/python -m benchmarks.growth $(BENCH)

# The API reference, from the catalogue of operators and the docstrings.
docs: $(VENV)/.demo
	$(BIN)/python -m baryon.reference docs/reference

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.demo: $(VENV)/.made $(SOURCES)
	$(BIN)/python -m pip install --quiet -e ".[viz]"
	touch $@

$(VENV)/.test: $(VENV)/.made $(SOURCES)
	$(BIN)/python -m pip install --quiet -e ".[viz,test,lint]"
	touch $@ $(VENV)/.demo

clean:
	rm -rf build docs/reference $(VENV) src/baryon/_native*.so
