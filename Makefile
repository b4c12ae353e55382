# Everything is made from Python 3.11 or newer and what the lock file names; nothing else is expected on the machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
COVERAGE_HOOK := $(CURDIR)/tests/coverage_hook.py

.PHONY: venv demo test check lint coverage bench lock clean

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: venv
	$(BIN)/labrunner demo

test: venv
	$(BIN)/python -m pytest

check: lint coverage

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The child processes are measured too: a hook in this environment, active only while the marker file exists.
coverage: venv
	$(BIN)/python $(COVERAGE_HOOK) on
	$(BIN)/python -m pytest; status=$$?; $(BIN)/python $(COVERAGE_HOOK) off; exit $$status
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: venv
	$(BIN)/python benchmarks/run.py

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --group dev \
		--python-version 3.11 --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* .import_linter_cache
