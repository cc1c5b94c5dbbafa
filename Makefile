# make test, make demo and make lint set up everything they need in .venv/ themselves.
# Needs Python 3.10 to 3.14 with venv; another one than python3 is named by PYTHON=python3.13.
# A stage that fails must not be hidden by the tee behind it.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
RELEASE := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
CONSTRAINTS := requirements/constraints-$(RELEASE).txt
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LINTED := mmact_ssl mmact_ssl_cli.py tools tests configs docs setup.py
# A worker a core; each collects all tests, which takes ten seconds.
PYTEST_ARGS ?= -n auto --dist worksteal

# One thread a process: with more threads than free cores a step takes seconds.
export OMP_NUM_THREADS ?= 1

# Without compiled files each worker rewrites the asserts of all tests, for twenty seconds.
unexport PYTHONDONTWRITEBYTECODE

# The configs look for data sets in the same folder.
DEMO_DATA := $(or $(MMACT_SSL_DATA),data)/demo
DEMO_CONFIG := configs/csvr_r3d_demo-quick.py
DEMO_WORK := work_dirs/csvr_r3d_demo-quick
DEMO_TEACHER := configs/teachers/demo_pose_teacher.py
DEMO_EVALUATE := $(BIN)/python tools/evaluate.py linear,knn,retrieval \
	--set demo --out $(DEMO_WORK)/results

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo 'make install  set up .venv/'
	@echo 'make test     lint, type check and tests'
	@echo 'make test-research  the studies, tables and benchmarks of research/'
	@echo 'make test-python PYTHON=python3.13  the tests on another Python, in an environment of its own'
	@echo 'make test-newest, make test-oldest  the tests with the newest and the oldest versions'
	@echo 'make demo     pre-train on generated videos, evaluate, draw: five to eight minutes on two cores'
	@echo 'make lint     ruff alone'
	@echo 'make docs     the site in build/site/; a warning is an error'
	@echo 'make dist     wheel and sdist in dist/; ZOO_URL=ADDRESS of zoo/ for mim download'
	@echo 'make clean    remove the environments and what the tools cached; data/ and work_dirs/ stay'

.PHONY: install
install: $(INSTALLED)

# Make an environment. Arguments: its folder, and the options of pip that choose versions.
# Wheels of opencv need libGL, which a bare Debian does not have: the headless ones do without.
define fill
	@$(PYTHON) mmact_ssl/upstream/preflight.py $(1)
	@echo 'pip downloads and installs for some minutes, and shows errors alone'
	$(PYTHON) -m venv $(1)
	$(1)/bin/pip install -q $(2) -e '.[lite,docs,tests]'
	$(1)/bin/python tools/setup_environment.py openmmlab -q $(filter-out --upgrade,$(2))
	@$(1)/bin/python -c 'import cv2' 2>/dev/null \
		|| $(1)/bin/pip install -q --no-deps --force-reinstall opencv-python-headless==$$( \
			$(1)/bin/pip list --format=freeze | sed -n 's/^opencv-python==//p')
	$(1)/bin/python -m mmact_ssl
	@echo 'the installation is complete: . $(1)/bin/activate'
endef

$(INSTALLED): pyproject.toml setup.py tools/setup_environment.py $(CONSTRAINTS)
	$(call fill,$(VENV),-c $(CONSTRAINTS))
	@touch $@

.PHONY: lint
lint: $(INSTALLED)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)

.PHONY: types
types: $(INSTALLED)
	$(BIN)/mypy mmact_ssl

# Without its cache mypy keeps one core busy for 40 seconds. An error of it ends make after the tests.
.PHONY: test
test: lint
	@$(MAKE) --no-print-directory -j2 types suite

.PHONY: suite
suite: $(INSTALLED)
	$(BIN)/python -m pytest -q $(PYTEST_ARGS)

# research/ is a project of its own: nothing of the package or its tests knows it.
.PHONY: test-research
test-research: $(INSTALLED)
	$(BIN)/ruff check research
	$(BIN)/ruff format --check research
	$(BIN)/python -m pytest -q $(PYTEST_ARGS) research/tests
	$(BIN)/python research/make_tables.py --check

# The suite on another Python, with the versions that it was last tested with.
.PHONY: test-python
test-python:
	$(call fill,.venv-$(RELEASE),-c $(CONSTRAINTS))
	.venv-$(RELEASE)/bin/python -m pytest -q $(PYTEST_ARGS)

# Which release of another project breaks us next: everything as new as pyproject.toml allows.
.PHONY: test-newest
test-newest:
	$(call fill,.venv-newest,--upgrade)
	.venv-newest/bin/pip list --format=freeze --exclude-editable >.venv-newest/versions.txt
	.venv-newest/bin/python -m pytest -q $(PYTEST_ARGS)

# Whether the lower bounds of pyproject.toml are true. uv chooses them.
.PHONY: test-oldest
test-oldest:
	@$(PYTHON) mmact_ssl/upstream/preflight.py .venv-oldest
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install -q uv
	.venv-oldest/bin/uv pip install -q --python .venv-oldest/bin/python \
		--resolution lowest-direct -e '.[lite,tests]'
	.venv-oldest/bin/python tools/setup_environment.py openmmlab -q
	.venv-oldest/bin/pip list --format=freeze --exclude-editable >.venv-oldest/versions.txt
	.venv-oldest/bin/python -m pytest -q $(PYTEST_ARGS)

# Each stage of the demo leaves a stamp; an interrupted stage starts again, training resumes. What a
# stage does not need runs beside it.
DEMO_RESULTS := $(addprefix $(DEMO_WORK)/,.random .student .drawn)
.PHONY: demo
demo:
	@$(MAKE) --no-print-directory -j2 $(DEMO_RESULTS)
	@cat $(DEMO_WORK)/.random $(DEMO_WORK)/.student
	@echo
	@echo 'Look at $(DEMO_WORK)/overview.png: what it predicts of clips that it never saw.'
	@echo 'Your own videos, in one command: mmact-ssl pretrain ~/clips'

$(DEMO_DATA)/.prepared: | $(INSTALLED)
	$(BIN)/python tools/prepare_data.py demo --out $(DEMO_DATA)
	@touch $@

# Poses between these frames are interpolated. It has a process a core.
$(DEMO_DATA)/.targets: $(DEMO_DATA)/.prepared
	$(BIN)/python tools/extract_targets.py $(DEMO_TEACHER) --data $(DEMO_DATA) --every 4
	@touch $@

$(DEMO_WORK)/.trained: $(DEMO_DATA)/.targets
	$(BIN)/python tools/train.py $(DEMO_CONFIG) --work-dir $(DEMO_WORK) --resume
	@touch $@

# Beside the training, which leaves most of a core idle.
$(DEMO_WORK)/.random: $(DEMO_DATA)/.targets
	@mkdir -p $(DEMO_WORK)
	$(DEMO_EVALUATE) --method Random --encoder r3d18-small --random >$@.part
	@mv $@.part $@

$(DEMO_WORK)/.student: $(DEMO_WORK)/.trained
	$(DEMO_EVALUATE) --method CSVR $(DEMO_WORK) >$@.part
	@mv $@.part $@

$(DEMO_WORK)/.drawn: $(DEMO_WORK)/.trained
	$(BIN)/python tools/visualize.py $(DEMO_CONFIG) $(DEMO_WORK) >$@.part
	@mv $@.part $@

# MkDocs' theme prints an advertisement of its successor.
.PHONY: docs
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'look at it: $(BIN)/python -m http.server -d build/site'

# ZOO_URL is the address where the files of zoo/ lie, for mim download.
.PHONY: dist
dist: $(INSTALLED)
	rm -rf build
	ZOO_URL=$(ZOO_URL) $(BIN)/python setup.py -q sdist bdist_wheel
	rm -rf build

.PHONY: clean
clean:
	rm -rf $(VENV) .venv-* build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
