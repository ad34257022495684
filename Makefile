# make demo and make test do everything on a fresh machine with Python >= 3.10, set-up included.
VENV ?= .venv
BIN  := $(VENV)/bin
DATA ?=

.PHONY: help demo test lint bench faults clean

help:
	@echo "make demo [DATA=locomo.json]   remember a conversation and recall from it, with the reasons"
	@echo "make test                      run the whole test suite"
	@echo "make lint                      ruff, mypy, import-linter"
	@echo "make bench                     measure against the floor: bare SQLite, bare exact search"
	@echo "make faults                    kill, fail and starve it for hours, with a table (FAULTS=short: minutes)"
	@echo "make clean                     remove the virtual environment and what tools have cached"

# One stamp for each set of extras: a second run installs nothing until pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml .ci/setup
	@.ci/setup $(VENV) $(subst -,$(comma),$*)
	@touch $@
comma := ,

demo: $(VENV)/.installed-all
	@$(BIN)/python examples/demo.py $(DATA)

test: $(VENV)/.installed-all-test
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed-all-test-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-all
	$(BIN)/hippo bench $(ARGS)

faults: $(VENV)/.installed-all-test
	$(BIN)/python tests/faults/long.py $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
