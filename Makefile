# Coral Gate: what a developer types. `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# The oldest Python that is supported: a lock made with a newer one lacks what only the oldest needs.
LOCK_PYTHON ?= python3.11
LOCK_TOOLS := .tools/lock
LOCK_FLAGS := --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

.PHONY: help setup test test-long check demo lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## make or refresh .venv with everything pinned in requirements-test.lock, and this checkout
	@command -v $(PYTHON) >/dev/null || { echo "Missing: $(PYTHON). Install Python 3.11 or newer (Debian: python3 python3-venv), or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) tools/environment.py $(VENV)

test: setup ## everything: linters, types, documentation, all tests (as root also installs the Debian packages that tests need)
	@$(PY) tools/debian_packages.py
	@$(PY) tools/openclaw.py
	@$(PY) -m tests.run $(FOLDERS)

test-long: export CORAL_LONG = 1
test-long: test ## the same with the long forms: more examples, larger loads

check: setup ## linters, types and documentation only
	@$(PY) -m tests.checks

demo: setup ## try it: the gate, OpenClaw and a model on this machine (CHECK=1 walks through by itself; MODEL_URL=, MODEL= for a real model)
	@exec $(PY) -m tools.demo $(if $(CHECK),--check)

lock: ## pin anew what setup.cfg asks for (with Python 3.11; UPGRADE=--upgrade takes newer versions)
	@[ -x $(LOCK_TOOLS)/bin/pip-compile ] || { $(LOCK_PYTHON) -m venv $(LOCK_TOOLS) && $(LOCK_TOOLS)/bin/pip install --quiet 'pip-tools==7.6.*'; }
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK_TOOLS)/bin/pip-compile $(LOCK_FLAGS) $(UPGRADE) -o requirements.lock setup.cfg
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK_TOOLS)/bin/pip-compile $(LOCK_FLAGS) $(UPGRADE) --extra test -c requirements.lock -o requirements-test.lock setup.cfg
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK_TOOLS)/bin/pip-compile $(LOCK_FLAGS) $(UPGRADE) -o requirements-demo.lock requirements-demo.in

clean: ## remove everything that make has made, .venv included
	rm -rf $(VENV) .tools build dist apidocs .mypy_cache .ruff_cache .hypothesis _trial_temp* *.egg-info .coverage*
	find coral_gate tests tools twisted \( -name __pycache__ -o -name dropin.cache \) -prune -exec rm -rf {} +
