# The project's words; `make` alone prints them. Python 3.11 or newer and make are all that a machine needs.
.DEFAULT_GOAL := help
.PHONY: help setup sources scan test lint prove prove-stale bench docs lock clean
SHELL := /bin/sh

# The first Python that is new enough; name another with `make PYTHON=/path/to/python3.12`.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON = $(shell for each in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$each -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$each; break; }; done)
RUN := .venv/bin/python
WORKERS ?= 2
STARTED := $(shell date +%s)
export PIP_ROOT_USER_ACTION := ignore

# Runs commands, then says how long everything since `make` began has taken.
timed = @( set -e; $(1) ); code=$$?; echo "make $@: $$(( $$(date +%s) - $(STARTED) )) s"; exit $$code

help:  ## print these words
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: .venv/.base .venv/.compiled  ## make .venv with what a scan needs (nothing to do when it is there)

sources: .venv/.sources  ## set up, with what asking the vendors needs (Alpaca, Polygon, SEC)

scan: setup  ## set up, then run the whole funnel; where nothing is stored, on the simulated market
	$(call timed,$(RUN) ai_trader.py scan)

test: .venv/.dev .venv/.compiled  ## set up, then lint, types, layering and every test
	$(call timed,$(checks); $(RUN) -m pytest -n $(WORKERS))

lint: .venv/.dev  ## lint, types and layering alone
	$(call timed,$(checks))

prove: .venv/.dev .venv/.compiled  ## run the proofs that are missing or stale, at full size (ALL=1: every one)
	$(call timed,$(RUN) tools/prove.py $(if $(ALL),--all) $(NAMES))

prove-stale: .venv/.dev  ## list the proofs that are older than the code they cover
	$(call timed,$(RUN) tools/prove.py --stale)

bench: .venv/.dev .venv/.compiled  ## measure against pandas, Polars, TA-Lib and zipline
	$(call timed,$(RUN) -m bench)

docs: .venv/.dev .venv/.compiled  ## write the generated pages of docs/
	$(call timed,for page in $(wildcard tools/docs_*.py); do $(RUN) $$page; done; $(RUN) tools/prove.py --tables)

lock:  ## write requirements/*.lock anew from pyproject.toml (UPGRADE=1: to the newest that fit)
	$(call timed,test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock; .venv-lock/bin/python -m pip install -q uv; }; \
	$(compile) -o requirements/base.lock; $(compile) --extra sources -c requirements/base.lock -o requirements/sources.lock; \
	$(compile) --group dev -c requirements/base.lock -o requirements/dev.lock)

clean:  ## remove the environment and caches; the state folder stays
	$(call timed,rm -rf .venv .venv-lock build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache; \
	find . -name __pycache__ -type d -prune -exec rm -rf {} +)

checks = $(RUN) -m ruff check .; $(RUN) -m mypy; .venv/bin/lint-imports --no-logo
compile = .venv-lock/bin/uv pip compile pyproject.toml -q --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)

.venv/.base: requirements/base.lock tools/setup.py
	$(call install,base)

.venv/.sources: requirements/sources.lock .venv/.base
	$(call install,sources)

.venv/.dev: requirements/dev.lock .venv/.base
	$(call install,dev)

.venv/.compiled: .venv/.base $(shell find src -name '*.py')
	@$(RUN) -m compileall -q src && touch $@

define install
	@found='$(PYTHON)'; \
	if [ -z "$$found" ] || ! $$found -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
		echo "Python 3.11 or newer is needed and $${found:-none} is what was found; install it, or name it: make PYTHON=/path/to/python3.12" >&2; \
		exit 3; \
	fi; \
	$$found tools/setup.py $(1) && touch $@
endef
