# `make demo` and `make test` need Python 3.11 or newer and make; all else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# A CUDA torch that is already installed is used as it is: the environment then sees the system's packages.
CUDA_TORCH := $(shell $(PYTHON) -c "import torch; print(torch.version.cuda or '')" 2>/dev/null)

.PHONY: install demo test check clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(if $(CUDA_TORCH),--system-site-packages) $(VENV)
	grep -v $(if $(CUDA_TORCH),'^torch==','^#') constraints.txt > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[dev]'
	touch $@

demo: install  ## the main job on an archive that is drawn for it, into ./demo
	$(BIN)/stcn demo demo

test: install  ## all tests
	$(BIN)/python -m pytest

check: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## what the targets above made
	rm -rf $(VENV) demo
