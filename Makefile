# Everything from a fresh clone: `make demo` shows wmtui at work, `make test` checks it. Needs python3 (3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# Tests start hundreds of wmtui processes; none of them is to compile it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-mysql test-all mutants chaos servers mysql try-mysql bench docs site clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## wmtui and its tools in .venv, versions as in constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "wmtui needs Python 3.11 or newer: name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing: install the package python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: $(INSTALLED) ## the screen on an embedded sandbox; without a terminal a sync that is killed, resumed and verified
	$(BIN)/python -m wmtui.demo

# Bad input and damage that `verify` must find are met embedded here, and on servers by `make test-mysql`; so are the
# pictures of a second theme, and what settings of MariaDB do.
LEFT_TO_TEST_MYSQL := servers and (bad_input or test_verify_table or test_values) or test_snapshots and harbour \
	or test_mysql_defaults and MariaDB or seventy_megabytes
test: $(INSTALLED) servers try-mysql ## linters, types, architecture, all tests, then some minutes of kills and faults
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pytest -n auto -k "not ($(LEFT_TO_TEST_MYSQL))"
	$(BIN)/pytest -n 2 -m chaos
	@test -x $(MYSQL)/usr/sbin/mysqld || echo "MySQL was not tested, only MariaDB: see \`make mysql\` for the reason"

test-mysql: $(INSTALLED) servers mysql ## every test on MySQL in place of MariaDB
	$(BIN)/pytest -n auto --source mysql
	$(BIN)/pytest -n 2 -m chaos --source mysql

test-all: test test-mysql ## both, then hundreds of kills and faults from each source server and into Redshift
	$(MAKE) chaos SOURCE=mariadb
	$(MAKE) chaos SOURCE=mysql
	$(MAKE) chaos SOURCE=mysql WAREHOUSE=redshift

mutants: $(INSTALLED) ## change the rules that matter, place by place: how many per cent of the changes do tests notice?
	$(BIN)/python -m tests.mutants

N ?= 300
SEED ?= 1
SOURCE ?= mariadb
WAREHOUSE ?= postgres
chaos: $(INSTALLED) servers $(filter mysql,$(SOURCE)) ## kill and disturb real processes N times: make chaos N=1000 SEED=7 SOURCE=mysql WAREHOUSE=redshift
	$(BIN)/python -m tests.chaos -n $(N) --seed $(SEED) --source $(SOURCE) --warehouse $(WAREHOUSE)

# Tests start private servers: only the programs are needed.
servers:
	@sh tests/servers/install.sh

MYSQL ?= .mysql
mysql: ## a private MySQL for the tests, from the packages of Debian's mirror, unpacked into .mysql
	sh tests/servers/fetch_mysql.sh $(MYSQL)

# Where it cannot be had, tests go on without it and say so at the end; CI does not where the mirror failed (exit 4).
try-mysql:
	@sh tests/servers/fetch_mysql.sh $(MYSQL) || case "$$?,$(CI)" in 3,* | 4, | 4,false) ;; *) exit 1 ;; esac

bench: $(INSTALLED) servers mysql ## how fast wmtui and its peers are here: one table (make bench QUICK=1 ROWS= ROUNDS= SOURCE=)
	$(BIN)/python -m benchmarks $(NAMES) --json .benchmarks/report.json

docs: $(INSTALLED) ## draw the pictures again, and write the pages of types, errors, JSON and commands
	$(BIN)/python -m tests.tui.scenes docs
	$(BIN)/python -m tests.type_page
	$(BIN)/python -m tests.error_page
	$(BIN)/python -m tests.json_page
	$(BIN)/python -m tests.command_page

site: $(INSTALLED) ## README and docs/ as a site with search, in site/; to look: python3 -m http.server -d site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## remove .venv and everything that was built
	rm -rf .venv .mysql build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
