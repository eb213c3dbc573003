# The verbs of daily work. Every one installs what it needs; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
TOOLS := $(PYTHON) tests/cluster/tools.py
CLUSTER := $(PYTHON) -m tests.cluster
DEMO := $(BIN)/python -m demo

.PHONY: help install lock demo test unit fuzz faults integration interop e2e lint image bench cluster-up cluster-down clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed ## the virtual environment .venv, with imagebuild in .venv/bin

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	@echo "==> installing imagebuild and its development tools into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "imagebuild needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -qy python3-venv; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(VENV)/.installed ## make the locked requirements anew
	$(BIN)/pip install --quiet pip-tools
	cd requirements && for set in runtime dev; do ../$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file $$set.txt $$set.in; done

lint: install ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install ## fast tests, no root needed
	$(PYTEST) -m "not root" tests/unit tests/cluster tests/conformance

fuzz: install ## 200,000 hostile Dockerfiles for the reader; FUZZ="--inputs 1000000 --seed 7", or --replay SEED:NUMBER
	$(BIN)/python -m tests.support.fuzzing $(FUZZ)

faults: install ## builds with caches that misbehave (root); FAULTS="--seed 7 --cases 1000", or --only TEXT for some named cases
	@$(TOOLS) packages build images
	$(BIN)/python -m tests.support.fault_campaign $(FAULTS)

integration: install ## real mounts, processes, a browser and registries on loopback (root)
	@$(TOOLS) packages build cluster images steps browser
	@$(TOOLS) build runc olareg >/dev/null
	IMAGEBUILD_RUNTIME=$$($(TOOLS) path runc) $(PYTEST) tests/integration tests/conformance

interop: install ## one cache with the real builders: a dockerd and a buildkitd on loopback (root, Debian)
	@$(TOOLS) packages build cluster images steps interop
	@$(TOOLS) build runc buildkitd buildctl >/dev/null
	IMAGEBUILD_RUNTIME=$$($(TOOLS) path runc) $(PYTEST) tests/interop

e2e: install ## on the disposable cluster (root)
	@$(CLUSTER) up >/dev/null
	$(PYTEST) tests/e2e

test: lint unit integration interop e2e ## everything, as CI runs it

bench: install ## side by side with BuildKit (root, Debian); BENCH="--runs 9 --case full-hit", see benchmarks/README.md
	@$(TOOLS) packages build cluster images
	@$(BIN)/python -m benchmarks $(BENCH)

image: install ## the product's image: an OCI layout in build/image.oci, or pushed with IMAGE=REGISTRY/NAME:TAG
	@$(BIN)/python -m image $(if $(IMAGE),--push $(IMAGE)) $(if $(INSECURE),--insecure)

cluster-up: ## the disposable Kubernetes cluster (idempotent); prints how to reach it
	@$(CLUSTER) up

cluster-down: ## end the cluster; nothing of it is left
	@$(CLUSTER) down

demo: install ## the main job on a real cluster, step by step (root, Debian)
	@$(DEMO)

clean: ## remove what make made in this checkout: .venv, build and caches (the cluster: cluster-down)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
