# `make demo` and `make test` need Python 3.11 or newer and make; all else goes into .venv. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests at a time. Two keep two cores busy: each may start a Ray cluster, a store and a few processes of its own.
WORKERS ?= 2
# A file's tests stay together, as they share fixtures; tests/conftest.py puts the files that take longest first.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help install demo quick test test-all kernels chaos check clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: $(VENV)/installed  ## .venv with all that the other targets need

# A CUDA torch that is already installed is used as it is: .venv then sees the system's packages.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear --system-site-packages $(VENV)
	if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.version.cuda)' 2>/dev/null; then \
		grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt; \
	else \
		$(PYTHON) -m venv --clear $(VENV) && cp constraints.txt $(VENV)/constraints.txt; \
	fi
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[dev]'
	touch $@

demo: install  ## the main job on an archive that is drawn for it, into ./demo
	$(BIN)/stcn demo demo

quick: install  ## tests that start no process, no Ray and no store; under a minute on 2 cores
	$(PYTEST) -m "not heavy and not slow"

test: install  ## all tests, the longest in their short forms; 10 to 15 minutes on 2 cores
	$(PYTEST) -m "not slow"

test-all: install  ## all tests, long forms included; 18 minutes on 2 cores
	$(PYTEST)

# Beside .venv's packages and not among them: PyTorch would load Triton into every process. A torch for GPUs brings a
# version of its own.
TRITON := $(VENV)/triton

$(TRITON): $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps --target $@ triton==3.9.0

kernels: $(TRITON)  ## the GPU's kernels in Triton's interpreter, which it installs: 1 GB
	TRITON_INTERPRET=1 PYTHONPATH=$(TRITON) $(BIN)/python -m pytest tests/core/memory/test_fused_read.py

chaos: install  ## 100 random kills of processes of runs, 9 minutes; KILLS and SEED may be given
	$(BIN)/python -m tests.reliability.chaos --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED))

check: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## what the targets above made
	rm -rf $(VENV) demo
