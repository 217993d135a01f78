# The table of contents. `make help` is made from the comments behind ##.
.DEFAULT_GOAL := help
.PHONY: help run stop compose test lint bench chaos audit sbom clean
PYTHON := .venv/bin/python
# Most of the tests' time is waiting, so there are more workers than cores; a single file or test runs in one process.
WORKERS = $(if $(filter %.py no:xdist,$(subst ::, ,$(ARGS))),,-n 6)

run: ## set up and start everything, send one of each, show what happens, print the URLs
	@scripts/venv.sh local
	@.venv/bin/tocsin up --demo

stop: ## end everything that `make run` started, and nothing else
	@test ! -x .venv/bin/tocsin || .venv/bin/tocsin down

compose: ## the same stack in Docker: builds the images, makes deploy/.env, starts all (docs/deploying.md)
	@scripts/compose.sh

# Bytecode is kept, whatever the environment says: tests start hundreds of processes, and each would compile us anew.
test: ## all tests, on servers of their own (ARGS="tests/kit -x" for some)
	@scripts/venv.sh dev
	@PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest $(WORKERS) $(ARGS)

lint: ## ruff, mypy --strict, the import arrows, generated contracts, figures and dashboards unchanged
	@scripts/venv.sh dev
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m contracts.generate --check
	$(PYTHON) -m kit.metrics --check
	$(PYTHON) -m deploy.grafana --check

bench: ## messages per second and CPU per message, printed with the machine and the commit
	@scripts/venv.sh dev
	@$(PYTHON) -m benchmarks $(ARGS)

chaos: ## kill services under load, for longer than `make test` does, and count what was lost: nothing
	@scripts/venv.sh dev
	@TOCSIN_TEST_CHAOS=full $(PYTHON) -m pytest tests/chaos -sv $(ARGS)

audit: ## known vulnerabilities of every pinned package; asks osv.dev, so it needs the network
	@scripts/audit.sh audit

sbom: ## what each installation is made of, as CycloneDX, in build/sbom/
	@scripts/audit.sh sbom

clean: stop ## stop, then remove all state, logs, caches and the virtual environment
	rm -rf .tocsin logs .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
