# What a person or a CI machine does with a checkout. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
VENV_HF := .venv-hf
BIN := $(VENV)/bin
BIN_HF := $(VENV_HF)/bin
PIP := -m pip install --quiet --disable-pip-version-check
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate
ARGS ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

# -- install ---------------------------------------------------------------------------------------------------

.PHONY: install install-test install-hf
install: $(VENV)/.stamp-base ## the base install, in .venv
install-test: $(VENV)/.stamp-dev ## the base install with test and check tools
install-hf: $(VENV_HF)/.stamp ## podium[hf] with test tools, in .venv-hf

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is $$($(PYTHON) -V); Python 3.11 or later is needed; name one with PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "error: $(PYTHON) has no ensurepip; on Debian: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-base: requirements/base.lock requirements/build.lock pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python $(PIP) --require-hashes -r requirements/base.lock -r requirements/build.lock
	$(BIN)/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.stamp-dev: requirements/dev.lock $(VENV)/.stamp-base
	$(BIN)/python $(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV_HF)/.stamp: requirements/hf.constraints requirements/hf-models.lock requirements/dev.lock requirements/build.lock pyproject.toml
	test -x $(BIN_HF)/python || $(PYTHON) -m venv $(VENV_HF)
	$(BIN_HF)/python $(PIP) --require-hashes -r requirements/build.lock
	$(BIN_HF)/python $(PIP) --no-build-isolation -c requirements/hf.constraints -e '.[hf]'
	$(BIN_HF)/python $(PIP) --require-hashes -r requirements/dev.lock # last: OpenTelemetry's messages over those of xds-protos
	$(BIN_HF)/python $(PIP) --require-hashes --no-deps -r requirements/hf-models.lock
	@touch $@

# -- run -------------------------------------------------------------------------------------------------------

.PHONY: run bench bench-access bench-gateway bench-observe bench-all
run: install ## install, then serve the demo model (Ctrl-C stops it)
	@$(BIN)/podium up $(ARGS)

bench: install ## the serving benchmark (docs/benchmarks/serving.md)
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-access: install-test ## the access benchmark (docs/benchmarks/access.md); needs redis-server and wrk
	$(BIN)/python -m benchmarks.access $(ARGS)

bench-gateway: install-test ## the gateway benchmark (docs/benchmarks/gateway.md); needs wrk
	$(BIN)/python -m benchmarks.gateway $(ARGS)

bench-observe: install-test ## the observability benchmark (docs/benchmarks/observability.md); needs wrk and chromium
	$(BIN)/python -m benchmarks.observe $(ARGS)

bench-all: install-test ## every benchmark, one after the other: hours, on a quiet machine
	$(BIN)/python -m benchmarks $(ARGS)

# -- test ------------------------------------------------------------------------------------------------------

.PHONY: test test-base test-hf test-deps spec
test: test-base test-hf ## install what the tests need and run them all

test-base: install-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not hf and not vllm' $(ARGS)

test-hf: install-hf
	$(BIN_HF)/python -m pytest -m hf $(ARGS)

test-deps: ## system packages that tests need (Debian, as root or with sudo)
	@scripts/test-deps.sh

spec: install-test ## print the tests' names as a specification
	@$(BIN)/python scripts/specification.py

# -- check -----------------------------------------------------------------------------------------------------

.PHONY: check check-style check-types check-rules check-docs check-pins
check: check-style check-docs check-types check-rules ## style, types, layers, written rules, generated docs

check-style: install-test
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet

check-types: install-test
	$(BIN)/mypy --no-error-summary

check-rules: install-test
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/architecture tests/docs

check-docs: install-test
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/dashboard.py --check

check-pins: install-test ## ask the package index for every pinned version and hash; look at the images' names
	$(BIN)/python scripts/check_pins.py

# -- keep ------------------------------------------------------------------------------------------------------

.PHONY: docs format lock clean
docs: install-test ## write docs/reference and the Grafana dashboard anew from the code
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/dashboard.py

format: install-test ## let ruff mend what it can
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

lock: install-test ## write the lock files anew (newest versions that pyproject.toml allows)
	$(UV_COMPILE) --upgrade --generate-hashes requirements/build.in -o requirements/build.lock
	$(UV_COMPILE) --upgrade --generate-hashes pyproject.toml -c requirements/build.lock -o requirements/base.lock
	$(UV_COMPILE) --upgrade --generate-hashes --no-strip-extras --group pyproject.toml:dev -c requirements/base.lock -o requirements/dev.lock
	$(UV_COMPILE) --upgrade --generate-hashes requirements/otel.in -c requirements/dev.lock -o requirements/otel.lock
	$(UV_COMPILE) --upgrade --generate-hashes --no-deps requirements/hf-models.in -o requirements/hf-models.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_31 --no-header --no-emit-index-url \
	  --no-annotate --upgrade --generate-hashes requirements/vllm.in -o requirements/vllm.lock
	$(UV_COMPILE) --upgrade pyproject.toml --extra hf -c requirements/hf.in -c requirements/dev.lock -o requirements/hf.constraints

clean: ## remove what make made
	rm -rf $(VENV) $(VENV_HF) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
