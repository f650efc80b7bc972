# Every target installs what it needs into .venv, pinned by uv.lock. `make help` lists them.

PYTHON ?= python3
# The shell's folder, where relative paths start: with `make -C`, CURDIR is another one.
CALLED_FROM ?= $(PWD)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

# Byte code is kept in one folder, so that every program the targets start finds it.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/pycache
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-rest test-all test-hostile bench bench-hostile lint format validate audit outdated build dist invoke events example-tools reference screenshots canary docs docs-serve clean

# What stays on this machine wants some region; `make canary` takes yours.
run test test-rest test-all test-hostile bench bench-hostile validate build invoke events reference screenshots: export AWS_DEFAULT_REGION ?= us-east-1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: .venv/installed ## Run the whole stack locally and tour it (PORT=3000, ONCE=1 ends after the tour)
	@echo 'Starting...'
	@cd "$(CALLED_FROM)" && keyscope up $(RUN_OPTIONS)

# Each option of `keyscope up` is a setting: ATTACH=template.yaml is --attach "template.yaml".
option = $(if $($1),$2 "$($1)")
RUN_OPTIONS = $(strip $(if $(filter-out 0,$(ONCE)),--once) $(call option,PORT,--port) \
	$(call option,ATTACH,--attach) $(call option,ATTACH_PARAMETERS,--attach-parameters) \
	$(call option,ACCESS_MAP,--access-map) $(call option,PARAMETERS,--parameters) \
	$(call option,PLATFORM,--platform) $(call option,STATE_FOLDER,--state-folder))

# Tests of a file run in one process and share what they start. Many wait for servers, so there is one
# process more than processors, but at most four. Folders with long files come first, so that no process
# is left alone with one at the end.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))')
WORKERS := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
MEASURED := tests/integration tests/unit/keyscope
OTHERS := tests/e2e tests/browser tests/clients tests/security tests/template tests/examples \
	$(filter-out tests/unit/keyscope,$(sort $(wildcard tests/unit/[a-z]*)))

# COVERAGE=1 measures the tests that call the package directly and are not slow: without the others they
# must reach what is required. It would make SAM, cfn-lint and every call of DynamoDB twice as slow, and it
# stops when a test of tests/security interrupts a thread in Python 3.11.

ifneq ($(T)$(K),)
test: .venv/installed .venv/browser .venv/clients
	pytest $(T) $(if $(K),-k "$(K)")
else ifdef COVERAGE
test: .venv/installed .venv/browser
	pytest $(WORKERS) -m "not slow" $(MEASURED) --cov
	pytest $(WORKERS) -m "not slow" $(OTHERS)
else
test: .venv/installed .venv/browser ## Run what you need before a commit; T=path or K=words selects tests of every kind
	pytest $(WORKERS) -m "not slow" $(OTHERS) $(MEASURED)
endif

# Tests that load the machine run after the others, one at a time.
test-rest: .venv/installed .venv/browser .venv/clients ## Run the tests that `make test` leaves out
	pytest $(WORKERS) -m "slow and not load" $(MEASURED) $(OTHERS)
	pytest -m load $(OTHERS)

# One build is for all tests that examine it; each of their processes would make its own.
test-all: export COVERAGE := 1
test-all: export KEYSCOPE_TEST_PROFILE := fast
test-all: export KEYSCOPE_BUILT := .aws-sam/build
test-all: example-tools ## Run every test, with more examples, and require that the fast ones cover 95 %
	@$(MAKE) build
	@$(MAKE) test
	@$(MAKE) test-rest

test-hostile: .venv/installed ## Run security, races and benchmarks in full: 10,000 examples a property, every mutant
	KEYSCOPE_TEST_PROFILE=full pytest $(or $(T),tests/security tests/integration/test_races.py tests/e2e/test_benchmarks.py) $(if $(K),-k "$(K)") --durations=10

bench: .venv/installed ## Measure cold start, hot path, growth and last uses (10 min); ONLY=cold,hot,growth,use, QUICK=1, BEFORE=commit
	@ONLY=$(ONLY) QUICK=$(QUICK) BEFORE=$(BEFORE) python -m benchmarks

bench-hostile: .venv/installed ## Measure the cost of hostile credentials, and side channels of the responses
	@python -m benchmarks.hostile_input
	@python -m benchmarks.side_channels

lint: .venv/installed ## Check style, types, imports, templates, spelling and wording; changes nothing
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	cfn-lint template.yaml platform_checks/template.yaml deploy/*.yaml
	@git ls-files -z | xargs -0 codespell
	@git ls-files -z | xargs -0 python -m tools.words

format: .venv/installed ## Format the code and apply safe fixes
	ruff check --fix .
	ruff format .

validate: .venv/installed ## Validate the SAM template
	sam validate --lint

AUDIT := uv audit --locked --preview-features audit-command

audit: .venv/installed ## Check what both lock files pin for known vulnerabilities (OSV=URL of another database)
	$(AUDIT) $(if $(OSV),--service-url $(OSV))
	$(AUDIT) --project layers $(if $(OSV),--service-url $(OSV))

outdated: .venv/installed ## List the locked packages that have a newer release, and what keeps them
	@python -m tools.outdated
	@! command -v npm >/dev/null || for folder in browser clients examples; do \
	  echo "tests/$$folder/package-lock.json"; npm outdated --prefix tests/$$folder || true; done

build: .venv/installed ## Build what `sam deploy` uploads into .aws-sam (no Docker or Python 3.13 required)
	sam build

dist: .venv/installed ## Build a release into dist: what `keyscope deploy` uploads, and the wheel (needs Python 3.13)
	@python -m tools.dist

invoke: .venv/installed ## Run one event: FUNCTION=RestAuthorizerFunction EVENT=events/rest_request_basic_app.json
	@python -m keyscope_local.invoke $(FUNCTION) $(EVENT)

events: .venv/installed ## Write the events with the running local stack's credentials, for `sam local invoke`
	@python -m keyscope_local.tour.events --output .local/events

example-tools: .venv/installed ## Install the tools that test the CDK and Serverless examples (npm, 400 MB)
	@UV_PROJECT_ENVIRONMENT=tests/examples/.venv uv sync --locked --quiet --only-group examples
	@if command -v npm >/dev/null; then \
	  npm ci --prefix tests/examples --ignore-scripts --no-audit --no-fund --silent; \
	else echo "npm is not here, so the CDK and Serverless examples are not tested"; fi

reference: .venv/installed ## Write the generated pages of docs/reference: endpoints, OpenAPI, security evidence
	@python -m tools.reference

canary: .venv/installed ## Check undocumented behavior of API Gateway: STACK=name of a deployed stack, or LOCAL=1
	@STACK="$(STACK)" LOCAL="$(LOCAL)" CLEAN="$(CLEAN)" PLATFORM="$(PLATFORM)" python -m platform_checks

screenshots: .venv/installed .venv/browser ## Save screenshots of each view of the key console in .local/screenshots
	@python -m tests.browser.screenshots

docs: .venv/installed ## Build the site from docs/ into .local/site; a broken link is an error
	@mkdocs build --strict

docs-serve: .venv/installed ## Serve the site at 127.0.0.1:8000 while you edit it
	mkdocs serve

clean: ## Delete everything that make created
	rm -rf tests/examples/.venv tests/examples/node_modules tests/browser/node_modules tests/clients/node_modules
	rm -rf .venv .local .aws-sam dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage

define INSTALL_UV
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; PYTHON=... names another")'
	@test -x .venv/bin/uv || { $(PYTHON) -m venv --clear .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --requirement uv-requirements.txt; }
endef

.venv/installed: uv.lock pyproject.toml uv-requirements.txt
	@echo 'Installing what uv.lock pins into .venv...' >&2
	$(INSTALL_UV)
	@.venv/bin/uv sync --locked --quiet
	@touch $@

# What the workflow that deploys runs with credentials, and nothing beside it.
.venv/sam/bin/sam: uv.lock pyproject.toml uv-requirements.txt
	@echo 'Installing what uv.lock pins for sam into .venv/sam...' >&2
	$(INSTALL_UV)
	@UV_PROJECT_ENVIRONMENT=.venv/sam .venv/bin/uv sync --locked --quiet --only-group deploy
	@touch $@

# What the browser tests also need: axe-core from npm and a Chromium from the system's packages.
# Without either, those tests are skipped with a note.
.venv/browser: tests/browser/package-lock.json .venv/installed
	@! command -v npm >/dev/null || npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "There is no chromium here: the tests in a browser will be skipped. Install it to run them."
	@touch $@

# The clients of the Sunshine Conversations API from npm and Maven Central, which tests/clients run. Where
# there is no npm or no JDK, those tests are skipped and say so.
.venv/clients: tests/clients/package-lock.json tests/clients/libraries.sha256 .venv/installed
	@! command -v npm >/dev/null || npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund --silent
	@! command -v javac >/dev/null || python -m keyscope_local.emulators.maven_central tests/clients/libraries.sha256 .venv/java
	@touch $@
