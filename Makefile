# make install   the environment, in .venv (uv and every package by hash)
# make demo      the main job, end to end        make demo ARGS="--seconds 60"
# make test      lint, types, imports, unit and integration tests
# make faults    1,000,000 messages with every defect, 10,000 repaired twice, kill -9, full disks (about 20 minutes)
# make fuzz      2,000,000 hostile messages through `gridstream check`, 200,000 through the stream (about an hour)
# make hooks     the checks of `make lint` before each commit
# make lock      rewrite requirements.lock after a change of pyproject.toml (needs the package index)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install hooks lock demo test lint unit integration faults fuzz clean

help:
	@grep -E '^# make' Makefile | cut -c3-

install: $(VENV)/.installed

# Bytecode is compiled here: a dozen processes start together, and where PYTHONDONTWRITEBYTECODE is set each of them
# would compile its imports (2.8 s instead of 1.0 s for pandas, numba, pyarrow, clickhouse-connect).
$(VENV)/.installed: requirements.lock infra/uv.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r infra/uv.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python infra/uv.lock requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	$(BIN)/python -m compileall -q schemas pipelines infra dagster_project
	touch $@

hooks: install
	$(BIN)/pre-commit install

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	echo "uv" | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links - -o infra/uv.lock

demo: install
	$(BIN)/gridstream demo $(ARGS)

test: lint unit integration

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_lock.py

unit: install
	$(BIN)/pytest -n 2 -rs tests/unit

integration: install
	$(BIN)/pytest -rs tests/integration

faults: install
	$(BIN)/pytest -s tests/faults

fuzz: install
	GRIDSTREAM_FUZZ_CHECKED=2000000 GRIDSTREAM_FUZZ_STREAMED=200000 \
	  $(BIN)/pytest -s -o timeout=7200 tests/integration/test_fuzz.py tests/faults/test_fuzz_stream.py

clean:
	rm -rf $(VENV) .gridstream .mypy_cache .ruff_cache .pytest_cache
