# Everything runs in .venv, made from pinned versions. Python 3.11 and make are all that is needed.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: install demo test check format models bench clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/pofx demo

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_docs.py

format: install
	$(BIN)/ruff format src tests bench docs
	$(BIN)/ruff check --fix src tests bench docs

models: install
	$(BIN)/pofx models

bench: install
	$(BIN)/python bench/ngram.py
	$(BIN)/python bench/fit.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
