# make bench   measure the lab suite here            (OUT=folder, ARGS="--threads 2 …")
# make test    lint, types and tests
# make slow    the tests that take longer: whole studies, real measurements, a cluster
# make faults  plant crashes, kills, full disks and damaged files, and write docs/reliability.md from what is seen
# make trust   whether the harness keeps its promises here, about an hour
# make speed   how long the lab suite takes, beside a plain script
# make reports every committed report from nothing, for hours   (ARGS="--list", "--only lab", "--long")

PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/lab
ARGS ?=

INSTALLED := $(VENV)/.installed
PYTEST := $(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: bench test slow lint types faults speed trust reports clean

bench: $(INSTALLED)
	$(VENV)/bin/bench run --suite lab --out $(OUT) $(ARGS)

test: lint types
	$(PYTEST)

slow: $(INSTALLED)
	$(PYTEST) -m slow

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(INSTALLED)
	$(VENV)/bin/mypy

faults: $(INSTALLED)
	$(VENV)/bin/python -m tests.faults

speed: $(INSTALLED)
	$(VENV)/bin/python -m tests.benchmarks.suite_speed $(ARGS)

trust: $(INSTALLED)
	$(VENV)/bin/python -m tests.benchmarks.trust $(ARGS)

reports: $(INSTALLED)
	$(VENV)/bin/python -m tests.benchmarks.reports $(ARGS)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Quantbench needs Python 3.11 or newer; name one with make PYTHON=…')"
	@echo "installing into $(VENV): torch and what goes with it, a few minutes"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
