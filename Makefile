# Everything a developer does here is a target of this file; `make` alone lists them.
#
# A fresh machine needs git, make and Python >= 3.11 with venv. The rest is installed into the checkout: uv into
# .tools (a pinned one even where there is a uv on PATH: the locks are compared to the letter), the locked packages
# into .venv. Stamp files remember what was done, so a second `make up` starts at once.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
# Empty is unset: what is compiled is kept, whatever the environment says, else each start of a program does it again.
export PYTHONDONTWRITEBYTECODE :=

# Recursive on purpose: they are looked up only by the recipes that need them.
PYTHON = $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done),$(error Tocsin needs Python 3.11 or newer with venv (Debian: apt install python3-venv)))
UV := .tools/bin/uv
BIN := .venv/bin
CODE := $(wildcard src tests bench)
SCRIPTS := src/tocsin/web
SHELLS := .ci/engine .ci/run deploy/grafana/schema/check deploy/rolling-restart $(wildcard tests/docker/stand-ins/[mp]*)
# Deno is here for its formatter, linter and type checker; it runs nothing, and fetches nothing.
DENO = DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 $(BIN)/deno
# Of tests; each starts servers of its own.
PROCESSES = 3
LOCKS := requirements.lock requirements-embedded.lock requirements-dev.lock requirements-build.lock

# ---------------------------------------------------------------------------------------------- for everybody

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: .venv/.up ## run all of Tocsin on this machine until Ctrl-C (ARGS='--port 8100 --ai-delay 0.1 0.2')
	@exec $(BIN)/tocsin up $(ARGS)

.PHONY: test
test: .venv/.dev ## run every test (ARGS='tests/unit -k clock' for some, with -n 0 in one process)
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal $(ARGS)

.PHONY: test-docker
test-docker: .venv/.dev ## build the images and test all of compose.yaml, on the Docker engine that answers
	$(BIN)/pytest -m docker -v $(or $(ARGS),tests/docker)

.PHONY: check
check: .venv/.dev ## format, lint, types, contracts, house rules, documents, locks, known vulnerabilities
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint $(wildcard Dockerfile deploy/*/Dockerfile)
	$(BIN)/shellcheck $(SHELLS)
	$(BIN)/compose-lint check --quiet --skip-suppressed --strict-config --no-env --fail-on low compose.yaml
	@if docker compose version >/dev/null 2>&1; then docker compose --profile '*' config --quiet; fi
	$(DENO) fmt --check $(SCRIPTS)
	$(DENO) lint --quiet $(SCRIPTS)
	$(DENO) check --quiet $(SCRIPTS)
	$(BIN)/pytest -q tests/unit/test_house_rules.py tests/unit/test_script_rules.py tests/unit/test_settings.py tests/unit/test_documents.py
	@$(MAKE) lock-check
	@$(MAKE) audit ARGS=--if-reachable

.PHONY: fix
fix: .venv/.dev ## format, mend what the linter can mend, write .env.example and the tables of settings
	$(BIN)/ruff check --fix --exit-zero $(CODE)
	$(BIN)/ruff format $(CODE)
	$(DENO) fmt --quiet $(SCRIPTS)
	$(BIN)/python -m tests.house.env_example
	$(BIN)/python -m tests.house.configuration

.PHONY: audit
audit: .venv/.dev ## ask a database of vulnerabilities about every locked package; fails if it cannot be asked
	$(BIN)/python -m tests.house.audit $(ARGS)

.PHONY: bench
bench: .venv/.dev ## measure this build against floors measured in the same run (ARGS='--quick')
	@exec $(BIN)/python -m bench $(ARGS)

.PHONY: picture
picture: .venv/.dev ## take the picture of the inbox in the README again
	@$(BIN)/python -m tests.e2e.web.picture

.PHONY: clean
clean: ## remove what was installed or cached here; the data of `make up` (.data) stays
	rm -rf .venv .tools dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------- locks

# Each lock is the one before it and more: the image (which can trace), `make up`, `make test`. The pins of an existing
# lock are kept (--upgrade renews them), so the same command proves that the locks belong to this pyproject.toml.
compile = $(abspath $(UV)) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --custom-compile-command 'make lock' $(1) \
	pyproject.toml
define lock
set -e; \
$(call compile,$(1)) --extra tracing -o requirements.lock; \
$(call compile,$(1)) --extra tracing --extra embedded -c requirements.lock -o requirements-embedded.lock; \
$(call compile,$(1)) --extra tracing --extra embedded --group dev -c requirements-embedded.lock -o requirements-dev.lock; \
$(subst pyproject.toml,--group build,$(call compile,$(1))) -o requirements-build.lock
endef

.PHONY: lock
lock: $(UV) ## write the requirements*.lock again (ARGS=--upgrade renews all, '-P NAME' one)
	@$(call lock,$(ARGS))

.PHONY: lock-check
lock-check: $(UV)
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; cp pyproject.toml $(LOCKS) "$$fresh"; \
	(cd "$$fresh" && $(call lock)) || { echo 'The locks could not be checked (is the package index within reach?)' >&2; exit 1; }; \
	for lock in $(LOCKS); do cmp -s $$lock "$$fresh/$$lock" || \
	{ diff -U0 $$lock "$$fresh/$$lock" | grep '^[-+][^ ]' >&2; echo "$$lock does not belong to this pyproject.toml: run 'make lock' and commit what it changes." >&2; exit 1; }; done; \
	echo 'Locks are fresh.'

# ---------------------------------------------------------------------------------------------- installation

.tools/bin/uv: requirements-build.lock
	@echo 'Installing uv into .tools ...'
	@test -x .tools/bin/pip || $(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@touch $@

# Compiled here, since where Python may not keep what it compiles (PYTHONDONTWRITEBYTECODE) every start of a program
# takes three seconds more: `tocsin up` was there after 9.7 s, now after 4.2.
install = $(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(1) \
	&& $(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-build.lock \
	--require-build-hashes --editable .

.venv/bin/python:
	@$(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv

# The tools of a developer are a superset of what runs, so either stamp makes `make up` ready, and once they are
# here, renewing what runs keeps them.
.venv/.up: requirements-embedded.lock requirements-build.lock pyproject.toml | $(UV) .venv/bin/python
	@echo 'Installing what Tocsin runs on into .venv ...'
	@if [ -e .venv/.dev ]; then $(call install,requirements-dev.lock) && touch .venv/.dev; \
	else $(call install,requirements-embedded.lock); fi
	@touch $@

.venv/.dev: requirements-dev.lock requirements-build.lock pyproject.toml | $(UV) .venv/bin/python
	@echo 'Installing the tools of a developer into .venv ...'
	@$(call install,requirements-dev.lock)
	@touch .venv/.up $@
