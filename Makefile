# Two commands are enough: make demo, make test. make help lists the rest.
PYTHON ?= python3
SERVE ?= 1
DEMO ?=
BIN := .venv/bin
# CPU and CUDA builds of PyTorch are different files of one version: pip takes the one that this machine is set up for.
TORCH := torch==2.13.0
VENDOR := collections_app/web/static/vendor/htmx.min.js
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo web jobs sequence test test-sqlite test-postgresql check lock system system-demo migration clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: .venv/installed system-demo $(VENDOR) ## build the town in a box and serve it (SERVE=0: only the figures)
	$(BIN)/collections demo --force $(if $(filter 0,$(SERVE)),,--serve) $(DEMO)

web: .venv/installed $(VENDOR) ## serve the site on 127.0.0.1:8000
	$(BIN)/gunicorn --worker-class gthread --workers 2 --threads 8 --bind 127.0.0.1:8000 wsgi:app

jobs: .venv/installed ## run the one scheduler process
	$(BIN)/collections scheduler

sequence: .venv/installed-sequence ## install PyTorch, which trains the sequence model (serving it does not need it)

test: test-sqlite test-postgresql ## run every test, on SQLite and on PostgreSQL

test-sqlite: .venv/installed-dev .venv/installed-sequence system $(VENDOR)
	$(BIN)/pytest -q

test-postgresql: .venv/installed-dev .venv/installed-sequence system $(VENDOR)
	TEST_DATABASE_URL=postgresql $(BIN)/pytest -q --database-only

check: .venv/installed-dev ## style, types, import contracts, strategy books
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/collections strategy lint

lock: ## renew the lock files (needs uv and npm)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -o requirements-dev.lock
	uv pip compile requirements-sequence.in -c requirements-dev.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -o requirements-sequence.lock
	uv pip compile requirements-node.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -o requirements-node.lock
	npm install --package-lock-only --ignore-scripts

migration: .venv/installed ## write a migration: make migration ID=0002 MESSAGE="add hold reason"
	$(BIN)/collections db revision $(ID) "$(MESSAGE)"

clean: ## remove what the targets made, but for the data under var/
	rm -rf .venv node_modules collections_app/web/static/vendor .pytest_cache .mypy_cache .ruff_cache

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip requirements.lock pyproject.toml
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps -e .
	@touch $@

.venv/installed-dev: .venv/bin/pip requirements-dev.lock pyproject.toml
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps -e .
	@touch $@ .venv/installed

.venv/installed-sequence: .venv/installed-dev requirements-sequence.lock
	$(PIP) --require-hashes -r requirements-sequence.lock
	$(PIP) $(TORCH)
	@touch $@

# npm where it is; else the same Node.js from a Python package. Nothing is fetched when the site runs.
$(VENDOR): package.json package-lock.json | .venv/bin/pip
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --silent; else \
	  $(PIP) --require-hashes -r requirements-node.lock && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --silent; fi
	@mkdir -p $(dir $@) && cp node_modules/htmx.org/dist/htmx.min.js $@

# Debian's packages that a test group needs; where we cannot install them, the tests say what they skip and why.
system:
	@sh .ci/system-packages chromium espeak-ng postgresql

system-demo:
	@sh .ci/system-packages espeak-ng
