# `make demo` and `make test` need Python 3.11 or newer and make; all else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test chaos check clean

install: $(VENV)/installed

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

# Two at a time: most tests wait for processes to start. Files stay whole, so that what they share is made once.
test: install  ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

chaos: install  ## 100 random kills of processes of runs, about 20 minutes; KILLS and SEED may be given
	$(BIN)/python -m tests.reliability.chaos --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED))

check: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## what the targets above made
	rm -rf $(VENV) demo
