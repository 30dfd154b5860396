# demo: the sample hospital in the browser.   test: everything, from nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8471
DEMO ?= demo
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test fuzz test-lowest check format bench clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.base: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all,dev]'
	@touch $@

demo: $(VENV)/.base
	$(BIN)/aegle demo --folder $(DEMO) --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# The property tests on examples never drawn before: what they find becomes an @example.
fuzz: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --hypothesis-profile fuzz

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/reference.py

# The oldest versions that pyproject.toml allows, in an environment of their own.
test-lowest: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra all --extra dev \
	  --output-file $(VENV)/lowest.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)/lowest
	$(VENV)/lowest/bin/python -m pip install --quiet -r $(VENV)/lowest.txt
	$(VENV)/lowest/bin/python -m pip install --quiet --no-deps --editable .
	$(VENV)/lowest/bin/python -m pytest --numprocesses 2 --dist loadfile

# make bench NAME=questions ARGS='--data ../data'
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/$(NAME).py $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
