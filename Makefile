# The two commands: `make drill` and `make test`; `make check` is the quick one before a commit. Each sets up what it needs; Python 3.11+, make and a package index do.
PYTHON ?= python3
SHELL := /bin/sh
MACHINE := $(shell uname -m)
export SAM_CLI_TELEMETRY := 0
# Dozens of processes import the same modules: each is compiled once, whatever is set here.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: drill pictures check test suite test-all simulate mutants lint bench sam-build sam-local lock clean

drill: .venv/drill.done
	.venv/bin/python -m drill run region-loss --loss silent

# The pictures of the README, remade of a drill that is played for them. Needs Chromium or Chrome.
pictures: drill
	.venv/bin/python -m drill pictures

check: .venv/test.done lint
	.venv/bin/python -m pytest -n 2 -m "not slow and not exhaustive"

# The linters beside it: types take one processor a minute in a fresh clone, and most worlds only wait.
test: .venv/test.done .venv-sam/done
	$(MAKE) --no-print-directory -j 2 lint suite

suite: .venv/test.done .venv-sam/done
	.venv/bin/python -m pytest -n 4 -rs -m "not exhaustive"

# With every case of what `make test` has some of.
test-all: .venv/test.done .venv-sam/done lint
	.venv/bin/python -m pytest -n 3 -rs

simulate: .venv/test.done
	.venv/bin/python -m simulation --processes $$(getconf _NPROCESSORS_ONLN) $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MINUTES),--minutes $(MINUTES))

# How many small changes of the product's core its tests notice: by hand, for it is long. EACH of every module, or ONLY some.
mutants: .venv/mutants.done
	.venv/bin/python -m mutants $(if $(SEED),--seed $(SEED)) $(if $(EACH),--each $(EACH)) $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES))

.venv/mutants.done: requirements/mutants.txt .venv/test.done
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/mutants.txt
	touch $@

lint: .venv/test.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	PYTHONPATH=.:layers/failover/python .venv/bin/lint-imports

# The functions in the SAM CLI's containers, on the drill's world. Needs a Docker engine.
sam-local: .venv/drill.done
	PYTHON=.venv/bin/python drill/sam_local/make-base-image || { [ $$? = 1 ] && echo "no image of our own: SAM pulls AWS's"; }
	$(MAKE) --no-print-directory sam-build
	.venv/bin/python -m drill samples
	.venv/bin/python -m drill run region-loss --functions sam-local

# What those containers run: built for this machine's processor, as the deployed functions are for theirs.
sam-build: .venv/drill.done .venv-sam/done
	PYTHON="$$PWD/.venv/bin/python" LAMBDA_MACHINE=$(if $(filter arm64 aarch64,$(MACHINE)),aarch64,x86_64) .venv-sam/bin/sam build \
	  --no-cached --parameter-overrides Architecture=$(if $(filter arm64 aarch64,$(MACHINE)),arm64,x86_64)

# All sections, or some: make bench SECTIONS="imports drills". Which there are: .venv/bin/python -m bench --list
bench: .venv/test.done
	.venv/bin/python -m bench $(SECTIONS)

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; say which with PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/drill.done: requirements/drill.txt pyproject.toml | .venv/bin/python
	@echo "pip installs what the drill needs into .venv: a minute or two, and once"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/drill.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/test.done: requirements/test.txt .venv/drill.done
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/test.txt
	touch $@

.venv-sam/done: requirements/sam.txt
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/sam.txt
	touch $@

# Needs uv, for this target only.
lock:
	for set in drill test; do \
	  uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt; done
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" requirements/sam.in -o requirements/sam.txt
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links -c requirements/test.txt \
	  --custom-compile-command "make lock" requirements/mutants.in -o requirements/mutants.txt
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links -c requirements/drill.txt \
	  --custom-compile-command "make lock" layers/dependencies/requirements.in -o layers/dependencies/requirements.txt

clean:
	rm -rf .venv .venv-sam .mutants .aws-sam drill-reports
