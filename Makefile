# make demo   a simulated building with everything running      make test   every test
# make pictures   the pictures of the documentation, from a running demo
# make check  format, lint, types, import contracts             make bench  measured figures
# Each target makes .venv first and does all of its own set-up. ARGS="..." is handed on.

BIN := .venv/bin

.PHONY: demo test check bench pictures alarm-diagram fault-table rule-table request-table services lock clean

demo: .venv/runtime.stamp
	$(BIN)/caretaker demo $(ARGS)

test: .venv/dev.stamp services
	$(BIN)/pytest -n 3 --dist load --maxschedchunk 2 $(ARGS)

check: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp services
	$(BIN)/python -m bench $(ARGS)

pictures: .venv/dev.stamp services
	$(BIN)/python scripts/pictures.py $(ARGS)

alarm-diagram: .venv/dev.stamp
	$(BIN)/python -m scripts.alarm_diagram

request-table: .venv/dev.stamp
	$(BIN)/python scripts/request_table.py

rule-table: .venv/dev.stamp
	$(BIN)/python scripts/rule_table.py

fault-table: .venv/dev.stamp
	$(BIN)/python scripts/fault_table.py

services:
	@sh scripts/services.sh
	@sh scripts/peers.sh

.venv/runtime.stamp: requirements.lock pyproject.toml
	sh scripts/setup.sh runtime

.venv/dev.stamp: requirements.lock requirements-dev.lock pyproject.toml
	sh scripts/setup.sh dev

# after a change of dependencies in pyproject.toml (needs uv)
lock:
	uv pip compile -q --universal --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/out artifacts
