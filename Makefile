# Two commands for a newcomer: `make demo` sets up and opens the chat, `make test` sets up and runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test env check clean

demo: $(VENV)/.installed-ml
	@$(BIN)/otklik up

test: $(VENV)/.installed-dev
	@$(BIN)/python -m tests

env: $(VENV)/.installed-dev

$(VENV)/.installed-ml: pyproject.toml install.py
	@rm -f $(VENV)/.installed-*
	@$(PYTHON) install.py --venv $(VENV) --extras ml
	@touch $@

$(VENV)/.installed-dev: pyproject.toml install.py
	@rm -f $(VENV)/.installed-*
	@$(PYTHON) install.py --venv $(VENV) --extras ml,dev
	@touch $@ $(VENV)/.installed-ml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
