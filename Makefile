# Each target makes the virtual environment that it needs: a fresh machine with Python 3.10 or newer is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 5000
# Processes that share the tests; each has servers of its own.
JOBS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-matrix test-min test-sqlalchemy20 bench bench-fanout bench-digest bench-expiry bench-logging bench-doorbell lint format types types-js pictures docs clean

help: ## list the targets
	@grep -E '^[a-z0-9 -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9 -]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# A stamp per set of extras: the package is installed again only when its metadata changed.
$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[$*]'
	@touch $@

# axe and jQuery for the browser tests, and the type checker of the script. Without npm, the tests
# that need them are skipped.
node_modules/.package-lock.json: package-lock.json
	if command -v npm >/dev/null; then npm ci --no-audit --no-fund && touch $@; fi

demo: $(VENV)/installed-demo ## a community to log in to, at http://127.0.0.1:$PORT
	PORT=$(PORT) $(BIN)/flask --app examples.microblog demo

test: $(VENV)/installed-test $(VENV)/installed-bench node_modules/.package-lock.json ## the whole suite; REQUIRE=all fails where something is missing
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-fast: $(VENV)/installed-test ## the suite on SQLite alone, without a browser
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --fast $(ARGS)

test-matrix: $(VENV)/installed-test node_modules/.package-lock.json ## the suite, with every combination of keys, bases and databases
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --matrix $(ARGS)

test-min: ## the fast suite with the lowest versions that are promised
	$(PYTHON) -m venv .venv-min
	.venv-min/bin/pip install --quiet --constraint tests/constraints-min.txt --editable '.[test]'
	.venv-min/bin/python -m pytest -n $(JOBS) --dist loadgroup --fast $(ARGS)

test-sqlalchemy20: ## the fast suite with SQLAlchemy 2.0
	$(PYTHON) -m venv .venv-sqlalchemy20
	.venv-sqlalchemy20/bin/pip install --quiet --editable '.[test]' 'SQLAlchemy<2.1'
	.venv-sqlalchemy20/bin/python -m pytest -n $(JOBS) --dist loadgroup --fast $(ARGS)

bench: $(VENV)/installed-bench ## the speed of a poll beside others', written into docs/benchmarks
	$(BIN)/python benchmarks/poll.py $(ARGS)

bench-fanout bench-digest bench-expiry: bench-%: $(VENV)/installed-bench ## telling many, mails and expiry likewise
	$(BIN)/python benchmarks/$*.py $(ARGS)

bench-logging: $(VENV)/installed-bench ## a record that does not notify likewise
	$(BIN)/python benchmarks/logging_handler.py $(ARGS)

bench-doorbell: $(VENV)/installed-bench ## open pages, how soon they are rung, and how often they poll likewise
	$(BIN)/python benchmarks/doorbell.py $(ARGS)

lint: $(VENV)/installed-lint ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-lint ## let ruff rewrite the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/installed-lint $(VENV)/installed-test ## mypy
	$(BIN)/mypy --strict

types-js: node_modules/.package-lock.json ## the types of the page's script
	npm run types

pictures: $(VENV)/installed-test ## the documentation's pictures, made anew by the browser tests
	PICTURES=1 $(BIN)/python -m pytest --databases sqlite -k picture $(ARGS)

docs: $(VENV)/installed-docs ## the documentation, into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean: ## remove everything that is made
	rm -rf .venv .venv-* .tox build dist *.egg-info docs/_build node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
