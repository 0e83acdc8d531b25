# Everything a person or CI runs. Needs Python 3.11+, make and git; the rest is installed into .venv from the lock, which is
# made of pyproject.toml by `uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes
# --no-annotate --no-header --no-emit-index-url -o requirements.lock` (what it has already stays as it is).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := qmtl controlbus dagmanager worldservice gateway brokerage seamless tools tests bench examples

unexport PYTHONDONTWRITEBYTECODE  # else every process of the tests, and each is a Python of its own, compiles all code again

.PHONY: demo test gen check-gen fmt lint type check bench soak clients

demo: $(STAMP)
	$(BIN)/python -m examples.demo --out demo-out

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

gen: $(STAMP)
	$(BIN)/python tools/gen.py

check-gen: $(STAMP)
	$(BIN)/python tools/gen.py --check

fmt: $(STAMP)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/buf format proto -w

lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/buf lint
	$(BIN)/buf format proto -d --exit-code
	$(BIN)/lint-imports
	$(BIN)/python tools/breaking.py

type: $(STAMP)
	$(BIN)/mypy $(SOURCES)

check: check-gen lint type

bench: $(STAMP)
	for file in bench/[a-z]*.py bench/*/[a-z]*.py; do name=$${file%.py}; $(BIN)/python -m $$(echo $$name | tr / .) || exit 1; done

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak --hypothesis-profile fresh
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-profile fresh

clients: $(STAMP)
	$(BIN)/python -m tools.clients

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "QMTL needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
