# Everything starts here. `make` alone prints what there is.

.DEFAULT_GOAL := help
.PHONY: help run test check bench clean setup setup-dev

SCRIPTS := scripts/*.sh tests/vm/image/*.sh .ci/run

help: ## Print this table
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

run: setup ## Set everything up, then talk: by voice, or by examples where there is no sound
	@scripts/run.sh $(ARGS)

test: check ## Check, then run every test (ARGS="-k name" chooses)
	@.venv/bin/python -m pytest --durations=15 $(ARGS)

check: setup-dev ## Read the code: ruff, mypy, shellcheck
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@shellcheck $(SCRIPTS)

bench: setup-dev ## Measure edgebot on this machine
	@.venv/bin/edgebot bench $(ARGS)
	@.venv/bin/python benchmarks/sense.py

clean: ## Remove what was built here; models and caches stay
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@scripts/setup.sh

setup-dev:
	@scripts/setup.sh --dev
