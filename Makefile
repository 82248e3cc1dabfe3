# The commands of the README. Everything they need is set up in .venv, from requirements.lock, on first use.

PYTHON ?= python3
DATASET ?=
BIN := .venv/bin
# Not a script of .venv: it names the folder in which it was installed. A copy of the project, or one that was moved, would
# run the code there, on the data there.
PIPELINE := $(BIN)/python -m assets
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint requirements.lock
INSTALLED := .venv/.installed
RAY := .venv/.ray
TORCH := 2.13.0
# Processes that test side by side, with one thread each: on two cores one of them nearly always waits for a server.
WORKERS ?= 3

# What was given for a name, as it was typed: quotes in it are not the shell's, and ${PASSWORD} is a name, not its value.
typed = '$(subst ','\'',$(value $1))'

# PIPELINE_CONF, PIPELINE_HOME, FORCE, DAGSTER_PORT and the others are read from the environment or `make NAME=value`
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help run new dev serve try score champion test browser postgresql check format ray docs course pictures site benchmark bench lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED)  ## raw records to compared embeddings; DATASET=movies does one, FORCE=1 repeats every fit
	@$(PIPELINE) run $(DATASET)

new: $(INSTALLED)  ## look at data and write a conf file for it: NAME=books FROM=path-or-URL (a database: QUERY='select ...')
	@$(PIPELINE) new $(call typed,NAME) $(call typed,FROM) $(if $(QUERY),--query $(call typed,QUERY))

dev: $(INSTALLED)  ## Dagster's and MLflow's pages, until Ctrl-C
	@$(PIPELINE) dev

serve: $(INSTALLED)  ## answer over HTTP with the champion of DATASET=movies, until Ctrl-C
	@$(PIPELINE) serve '$(or $(DATASET),movies)'

try: $(INSTALLED)  ## a page on which to try the champion of DATASET=movies, until Ctrl-C
	@$(PIPELINE) try '$(or $(DATASET),movies)'

score: $(INSTALLED)  ## the champion's answers to the records of a file: DATASET=homes FILE=new.csv
	@$(PIPELINE) score '$(DATASET)' $(call typed,FILE)

champion: $(INSTALLED)  ## which version of DATASET=movies answers; VERSION=2 chooses it, VERSION=auto lets validation choose
	@$(PIPELINE) champion '$(DATASET)' '$(VERSION)'

test: check browser postgresql  ## everything: format, lint, types, imports, and the whole test suite
	@# Hundreds of processes load the project: Python may keep what it compiles, whatever the shell says.
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

browser:  ## Chromium and its driver, with which the tests look at the pages; installed where missing and possible
	@(command -v chromium && command -v chromedriver) > /dev/null || \
		(command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ] && echo "installing Chromium for the tests" && \
		(apt-get install -y -qq chromium chromium-driver || (apt-get update -qq && apt-get install -y -qq chromium chromium-driver)) > /dev/null) || \
		echo "no Chromium: the tests that need a browser are skipped (Debian: apt-get install chromium chromium-driver)"

postgresql:  ## the database server that the tests start; installed where missing and possible
	@(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb) > /dev/null 2>&1 || \
		(command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ] && echo "installing PostgreSQL for the tests" && \
		(apt-get install -y -qq postgresql || (apt-get update -qq && apt-get install -y -qq postgresql)) > /dev/null) || \
		echo "no PostgreSQL: the tests that need it are skipped (Debian: apt-get install postgresql)"

ray: $(RAY)  ## install the extra for more than one machine: Ray, dagster-ray

check: $(INSTALLED)  ## format, lint, types and the direction of imports only
	@$(BIN)/python -m ruff format --check --quiet . || (echo "error: run 'make format'" && exit 1)
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m mypy --no-error-summary
	@found=$$($(BIN)/python $(BIN)/lint-imports --no-cache --no-logo) || (echo "$$found" && exit 1)

format: $(INSTALLED)  ## write the code as the linter wants it
	@$(BIN)/python -m ruff format --quiet .
	@$(BIN)/python -m ruff check --quiet --fix .

docs: $(INSTALLED)  ## write docs/conf.md, conf.schema.json and metrics.md anew, from the settings and the metrics themselves
	@$(BIN)/python -m pipeline.config.reference > docs/conf.md
	@$(BIN)/python -m pipeline.config.json_schema > docs/conf.schema.json
	@$(BIN)/python -m docs.metrics > docs/metrics.md

pictures: $(INSTALLED) browser  ## the README's pictures anew, of what 'make run' made
	@$(BIN)/python -m docs.pictures

course: $(INSTALLED)  ## docs/course.md and its pictures anew, of what 'make run' made
	@$(BIN)/python -m docs.course

site: $(INSTALLED)  ## the documentation as a site that works offline: site/index.html
	@$(BIN)/python -m sphinx -q -E -W --keep-going -c docs/site . site
	@echo site/index.html

benchmark: $(INSTALLED)  ## the contest on public data: writes benchmarks/README.md; DATASET=gowalla does one
	@$(BIN)/python -m benchmarks $(DATASET)

bench: $(INSTALLED)  ## time and memory beside what people use, on generated data; SIZE=course is the whole
	@$(BIN)/python -m benchmarks.speed --size $(or $(SIZE),small) $(if $(CONTEST),--contest $(CONTEST)) $(if $(REPEATS),--repeats $(REPEATS))

lock:  ## write requirements.lock and requirements-ray.lock anew: the newest versions that pyproject.toml allows
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/pip install --quiet torch==$(TORCH) && .venv-lock/bin/pip install --quiet '.[samples,databases,lakes,excel,onnx,page,docs,dev]'
	@(echo "# Exact versions of everything, written by 'make lock'. No hashes: torch has a CPU and a CUDA build."; \
		.venv-lock/bin/pip freeze --all --exclude embedding-pipeline --exclude pip | sed 's/+cpu$$//') > requirements.lock
	@.venv-lock/bin/pip install --quiet --constraint requirements.lock '.[ray]'
	@(echo "# What the extra 'ray' needs on top of requirements.lock, written by 'make lock' too."; \
		.venv-lock/bin/pip freeze --all --exclude embedding-pipeline --exclude pip | sed 's/+cpu$$//' | grep -vxFf requirements.lock) \
		> requirements-ray.lock
	@rm -rf .venv-lock build

clean:  ## remove the environment (not what was learned: that is PIPELINE_HOME)
	@rm -rf .venv build site .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		(echo "error: $(PYTHON) is older than Python 3.11: make PYTHON=python3.12 ..." && exit 1)
	@echo "setting up .venv from requirements.lock (a few minutes, once)"
	@$(PYTHON) -m venv .venv
	@# uv installs side by side what pip installs one after the other. pip gets torch, in the build for this machine; and
	@# everything where there is no uv, or where pip's settings name an index of one's own, which uv does not read.
	@! $(BIN)/python -m pip config list | grep -qE '\.(no-)?index' && $(PIP) --only-binary uv uv torch && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock 2> /dev/null || $(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@# pip compiles on one core, this on all, but no tests. Some packages bring files that are no Python of this version.
	@$(BIN)/python -m compileall -q -j 0 -x '/tests?/' .venv/lib > /dev/null 2>&1 || true
	@touch $@

$(RAY): $(INSTALLED) requirements-ray.lock
	@$(PIP) --no-deps -r requirements-ray.lock
	@touch $@
