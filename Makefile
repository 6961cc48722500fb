# The site's commands: `make run` and `make test` are the two to know. Everything is installed into .venv and node_modules.
#
#   make run ARGS="--port 8001"    make test PYTEST_ARGS="tests/unit -k log"    make setup PYTHON=python3.12

PYTHON ?=
ARGS ?=
PYTEST_ARGS ?=
# Of `make faults`; without a seed one is drawn, and told.
SEED ?=
MINUTES ?= 10
PROFILE ?= embedded
# Of `make simulate`.
SEEDS ?= 1-100
# Of `make test-full`: seeds beyond those of `make test`, and after how many seconds no further one begins. They take about a
# second each on two idle cores.
MORE_SEEDS ?= 101-1000
SIMULATION_SECONDS ?= 7200

VENV := .venv
BIN := $(VENV)/bin
# Node comes from a wheel: npm and its scripts must find that one before any other.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes

# What only tests and checks need is installed with the first of them, and kept from then on.
DEV_STAMP := $(VENV)/.stamp-dev
RUN_STAMP := $(VENV)/.stamp-run
NEEDS_DEV := $(filter test test-full faults simulate planted rehearsal check bench audit lock format,$(MAKECMDGOALS))$(wildcard $(DEV_STAMP))
DEPENDENCIES := $(if $(NEEDS_DEV),$(DEV_STAMP),$(RUN_STAMP))
ASSETS := $(VENV)/.stamp-assets
ASSET_SOURCES := $(shell find static/chat/js static/chat/css -type f 2>/dev/null) esbuild.config.js

.DELETE_ON_ERROR:
.PHONY: setup run test test-full faults simulate planted rehearsal check format bench audit lock clean

## Install what running needs, and build the browser app.
setup: $(DEPENDENCIES) $(ASSETS)

## Start the whole site; Ctrl-C stops it.
run: setup
	@$(BIN)/python manage.py up $(ARGS)

## Run the whole default test suite on embedded servers.
test: setup
	$(BIN)/python -m pytest -m "not (production or planted)" $(PYTEST_ARGS)
	$(NPM) test --silent

# What a client library's destructor raises shows in whatever test runs at that moment: here it is told, and fails none.
UNRAISABLE := -W default::pytest.PytestUnraisableExceptionWarning

## Run what needs real Kafka, PostgreSQL, nginx, Valkey and a MongoDB-protocol server; they are fetched and started here.
test-full: setup
	$(BIN)/python -m tests.servers.maven
	$(BIN)/python -m pytest -m "production and not planted" $(UNRAISABLE) $(PYTEST_ARGS)
	$(BIN)/python -m tests.simulation --seeds $(MORE_SEEDS) --keep-going --no-shrink --budget $(SIMULATION_SECONDS)
	$(BIN)/python -m tests.faults.run --profile embedded --minutes 1.5 --seed 20240101
	$(BIN)/python -m tests.faults.run --profile production --minutes 1.5 --seed 20240102

## Break a whole site for a while and judge what its users saw: `make faults SEED=7 MINUTES=10 PROFILE=production`.
faults: setup
	$(if $(filter production,$(PROFILE)),$(BIN)/python -m tests.servers.maven)
	@$(BIN)/python -m tests.faults.run --profile $(PROFILE) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

## Run the pipeline through many simulated disasters, one a seed: `make simulate SEEDS=1-1000`.
simulate: setup
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --keep-going $(ARGS)

## Plant each of the known bugs in a copy, and show that the simulation or the fault test finds it.
planted: setup
	$(BIN)/python -m tests.planted $(ARGS)

## Start the whole production profile on this machine: three Kafka brokers, two of each process, nginx; Ctrl-C stops it.
rehearsal: setup
	@$(BIN)/python -m tests.rehearsal $(ARGS)

# As in docker/compose.yml; nothing is asked at these addresses.
DEPLOYED := TRUSTED_PROXIES=172.30.77.2 ALLOWED_HOSTS=chat.example.org LOG_FORMAT=json METRICS_PORT=9100 \
	SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnop \
	DATABASE_URL=postgresql://chatsite:p@postgresql:5432/chatsite REDIS_URL=redis://:p@valkey:6379/0 \
	EVENT_LOG_URL=kafka://kafka-1:9092,kafka-2:9092,kafka-3:9092 MESSAGE_STORE_URL=mongodb://mongodb-1:27017/chatsite

## Everything that can be said about the code without running it.
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NPM) run --silent check
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yml docker/compose.small.yml
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && export CHAT_DATA_DIR="$$data" && \
	$(BIN)/python manage.py makemigrations --check --dry-run && \
	$(BIN)/python manage.py check --fail-level WARNING && \
	env $(DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING

## Put the code into the form that `check` wants.
format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NPM) run --silent format

## Measure the delivery pipeline.
bench: setup
	$(BIN)/python -m benchmarks.pipeline $(ARGS)

## Ask the public databases of vulnerabilities about every pinned dependency; needs the open internet.
audit: setup
	$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --disable-pip --require-hashes \
		--requirement requirements.txt --requirement requirements/dev.txt
	$(NPM) audit

## Pin the newest dependencies that requirements/*.in allow.
lock: $(DEPENDENCIES)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		requirements/base.in --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint requirements.txt requirements/dev.in --output-file requirements/dev.txt

## Remove all that was installed or built. The data folder stays.
clean:
	rm -rf $(VENV) .servers node_modules static/chat/dist staticfiles .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- How setup is done ----------------------------------------------------------------------------------------------

$(BIN)/python:
	@./setup-python.sh "$(VENV)" "$(PYTHON)"

$(RUN_STAMP): requirements.txt package-lock.json | $(BIN)/python
	$(PIP) --requirement requirements.txt
	$(NPM) ci --omit=dev --silent
	@touch $@

$(DEV_STAMP): requirements.txt requirements/dev.txt package-lock.json | $(BIN)/python
	$(PIP) --requirement requirements/dev.txt
	$(NPM) ci --silent
	@touch $@ $(RUN_STAMP)

$(ASSETS): $(DEPENDENCIES) $(ASSET_SOURCES)
	$(NPM) run --silent build
	@touch $@
