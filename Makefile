# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Only names and their order: the work is done by the scripts in tools/ and sandbox/.

ARGS ?=
CMD ?= bash

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-unit test-sanity test-sandbox test-kernel test-sandboxes test-vm lab lint sandbox setup setup-check \
	setup-demo setup-vm collection benchmark clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

demo: setup-demo ## Show a NAT network with a real guest, in a sandbox (root).
	@tools/collection
	@sandbox/demo

test: setup test-unit lint test-sanity test-sandboxes test-vm ## Run every test layer (root).

test-unit: setup-check ## Run the unit tests. ARGS='...' goes to pytest.
	@tools/collection
	@PYTHONPATH=build/collections build/venv/bin/pytest tests/unit $(ARGS)

lint: setup-check ## Run ruff, mypy, yamllint, ansible-lint and the antsibull checks.
	@tools/lint

test-sanity: setup-check ## Run ansible-test sanity. ARGS='...' goes to ansible-test.
	@build/venv/bin/python tools/sanity.py $(ARGS)

test-sandbox: setup ## Run the sandbox tests (root). ARGS='-k nat' goes to pytest.
	@tools/collection
	@build/venv/bin/python tools/test_sandbox.py tests/sandbox -- $(ARGS)

test-kernel: setup ## Run the tests that need a kernel with VLANs, on User-Mode Linux (root). ARGS='-k vlan' goes to pytest.
	@tools/collection
	@build/venv/bin/python tools/test_sandbox.py tests/kernel -- $(ARGS)

# Both at once, so that no core waits for the end of one of them.
test-sandboxes: setup
	@tools/collection
	@build/venv/bin/python tools/test_sandbox.py tests/sandbox tests/kernel

test-vm: setup-vm ## Run the Molecule scenarios on two virtual machines (root). ARGS='-s nat' for one of them.
	@tools/collection
	@lab/test $(ARGS)

lab: setup-vm ## Boot these machines, and say how to log in (root).
	@lab/run up

sandbox: setup ## Run CMD='...' (a shell by default) in a sandbox (root).
	@tools/collection
	@sandbox/run --die-with-parent -- bash -c '$(subst ','\'',$(CMD))'

setup: ## Install the Debian packages and build/venv that everything else needs (root).
	@tools/setup test

setup-check:
	@tools/setup check

setup-demo:
	@tools/setup demo

setup-vm:
	@tools/setup vm

collection: setup-check ## Build the collection and install it to build/collections.
	@tools/collection

benchmark: setup ## Compare with others on the same work, in a sandbox (root). ARGS='--networks 20'.
	@tools/collection
	@build/venv/bin/python benchmarks/fetch.py
	@sandbox/run --die-with-parent -- build/venv/bin/python benchmarks/networks.py $(ARGS)

clean: ## Remove build/.
	rm -rf build
