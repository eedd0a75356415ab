# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Each target runs in the toolchain that tests/bootstrap makes in .cache (or OVM_CACHE).
# OVM_CACHE and PYTHON reach it from the environment or from make's command line.

RUN := tests/bootstrap
LINT := tests/bootstrap --lint

# more for pytest, for example: make test ARGS='-k chunking -x'
ARGS :=

.DEFAULT_GOAL := help
.PHONY: help demo test faults lint sanity gates format bench soak soak-short docs programs xen xen-boot xen-shell eda fuzz audit secrets matrix molecule network fresh release clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf 'make %-10s %s\n' "$$name" "$$text"; done

demo: ## see it work: real XenStore, real ansible-playbook
	@test -x tests/demo/run || { echo "make demo: there is no tests/demo/run in this checkout" >&2; exit 1; }
	@$(RUN) tests/demo/run

test: ## run all tests, with branch coverage of the cores
	@$(RUN) python -m toolchain.test $(ARGS)

lint: ## check style, types, docs and licences
	@$(LINT) python -m toolchain.lint $(ARGS)

sanity: ## run ansible-test sanity on a copy of the tree
	@$(LINT) python -m toolchain.ansible_test sanity --color no $(ARGS)

gates: ## pass the ecosystem's gates: build, install and use it, galaxy-importer, ansible-test units and integration
	@$(LINT) python -m toolchain.gates $(ARGS)

format: ## let ruff put the Python files into shape
	@$(LINT) ruff check --fix-only --quiet .
	@$(LINT) ruff format .

bench: ## measure against the alternatives; leaves a report and its pictures in the cache
	@$(RUN) python -m bench $(ARGS)

soak: ## have everything work for an hour: nothing lost, nothing doubled, memory and descriptors flat
	@$(RUN) python -m soak $(ARGS)

soak-short: ## the same for a minute
	@$(RUN) python -m soak --minutes 1 $(ARGS)

docs: ## build the site and the man pages into build/, and look at them in a real browser
	@tests/bootstrap --docs python -m toolchain.docs_site $(ARGS)

programs: ## build the command lines as single files, into build/
	@mkdir -p build
	@$(RUN) python programs/build.py --output build $(ARGS)

xen: ## run the tests on real Xen, which QEMU computes; prints what was measured
	@$(RUN) python -m toolchain.xen $(ARGS)

xen-boot: ## of these, only that guests boot and messages go both ways
	@$(RUN) python -m toolchain.xen --boot $(ARGS)

xen-shell: ## boot real Xen with two guests, and leave it to you
	@$(RUN) python -m lab.xen $(or $(ARGS),shell)

faults: ## kill programs at each system call, and have calls fail, one after the other; prints what came of it
	@$(RUN) python -m toolchain.faults $(ARGS)

eda: ## run rulebooks with a real ansible-rulebook (fetches it, and a Java)
	@$(RUN) python -m toolchain.eda $(ARGS)

fuzz: ## try hostile input on everything that parses, guided by coverage (fetches atheris); prints figures
	@$(RUN) python -m toolchain.fuzz $(ARGS)

audit: ## ask whether dependencies have ranges, reasons, hashes, and no known vulnerabilities (asks a service)
	@$(RUN) python -m toolchain.audit $(ARGS)

secrets: ## send secrets all ways that there are, and look for them in everything that shows or stays (needs strace)
	@$(RUN) python -m toolchain.secrets $(ARGS)

matrix: ## run all modules by every supported ansible-core, on every Python, with both XenStore daemons
	@$(RUN) python -m toolchain.matrix $(ARGS)

molecule: ## try the roles on real systemd, in containers (as root: it needs podman)
	@tests/bootstrap --molecule molecule test $(or $(ARGS),--all)

network: ## try the network scripts on each kind of network, in containers (as root: it needs podman)
	@$(RUN) python -m toolchain.stock_network $(ARGS)

fresh: ## prove the README in a bare Debian system (as root: it needs podman)
	@$(RUN) python -m toolchain.fresh $(ARGS)

release: ## make the changelog of a release out of its fragments
	@$(LINT) python -m toolchain.release $(ARGS)

clean: ## remove the toolchain and all that was made from it
	@cache=$${OVM_CACHE:-.cache}; if grep -qs 'ovm\.messaging' "$$cache/CACHEDIR.TAG"; then rm -rf "$$cache"; fi
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .ansible build tests/output
	@find . \( -name __pycache__ -o -name "*.pyc" \) -prune -exec rm -rf {} +
