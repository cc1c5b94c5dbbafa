# make test, make demo and make lint set up everything they need in .venv/ themselves.
# Needs Python 3.11 with venv: the versions in requirements/constraints.txt are for it.
# A stage that fails must not be hidden by the tee behind it.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NEWEST := .venv-newest
LINTED := mmact_ssl mmact_ssl_cli.py tools tests configs setup.py
PYTEST_ARGS ?= -n 4 --dist worksteal

# One thread a process: with more threads than free cores a step takes seconds.
export OMP_NUM_THREADS ?= 1

# The configs look for data sets in the same folder.
DEMO_DATA := $(or $(MMACT_SSL_DATA),data)/demo
DEMO_WORK := work_dirs/csvr_r3d_demo
DEMO_TEACHER := configs/teachers/demo_pose_teacher.py
DEMO_EVALUATE := $(BIN)/python tools/evaluate.py linear,knn,retrieval \
	configs/downstream/linear_r3d_demo.py --out $(DEMO_WORK)/results

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo 'make install  set up .venv/'
	@echo 'make test     lint, type check and tests'
	@echo 'make test-newest  the tests with the newest versions that pip finds, and what these are'
	@echo 'make demo     pre-train on generated videos, evaluate, draw: 10 to 20 minutes on two cores'
	@echo 'make lint     ruff alone'
	@echo 'make docs     the site in build/site/; a warning is an error'
	@echo 'make dist     wheel and sdist in dist/; ZOO_URL=ADDRESS of zoo/ for mim download'
	@echo 'make clean    remove the environments and what the tools cached; data/ and work_dirs/ stay'

.PHONY: install
install: $(INSTALLED)

# torch first and alone: a resolver left free picks versions that do not work together.
# mmpose needs pkg_resources, which later setuptools do not have.
# chumpy (mmpose requires it and never imports it) does not build in isolation.
# opencv's wheels need libGL, which a bare Debian does not have: the headless build takes their place.
# Arguments: folder of the environment, options of pip that choose versions.
define fill
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'error: $(PYTHON) has no venv: apt install python3-venv'; exit 1; }
	$(PYTHON) -m venv $(1)
	$(1)/bin/pip install -q $(2) torch 'setuptools<81' wheel
	$(1)/bin/pip install -q --no-deps --no-build-isolation $(2) chumpy
	$(1)/bin/pip install -q --no-build-isolation $(2) -e '.[cpu,docs,tests]'
	$(1)/bin/python -c 'import cv2' 2>/dev/null \
		|| $(1)/bin/pip install -q --no-deps --force-reinstall opencv-python-headless==4.11.0.86
endef

$(INSTALLED): setup.py $(wildcard requirements/*.txt)
	$(call fill,$(VENV),-c requirements/constraints.txt)
	$(BIN)/python -c 'import mmact_ssl; print("mmact_ssl", mmact_ssl.__version__, "is installed")'
	@touch $@

.PHONY: lint
lint: $(INSTALLED)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)

.PHONY: test
test: lint
	$(BIN)/mypy mmact_ssl
	$(BIN)/python -m pytest -q $(PYTEST_ARGS)

# Which release of another project breaks us next: no constraints, everything as new as requirements/
# allow. The versions that differ are told before and after the tests.
.PHONY: test-newest
test-newest:
	$(call fill,$(NEWEST),--upgrade)
	@diff -i <(sort -f requirements/constraints.txt) <($(NEWEST)/bin/pip list --format=freeze | sort -f) \
		| grep -E '^[<>] .*==' >$(NEWEST)/versions.txt || true
	@cat $(NEWEST)/versions.txt
	$(NEWEST)/bin/python -m pytest -q $(PYTEST_ARGS) || { cat $(NEWEST)/versions.txt; exit 1; }

# Each stage of the demo leaves a stamp; an interrupted stage starts again, training resumes.
.PHONY: demo
demo: $(DEMO_WORK)/.evaluated $(DEMO_WORK)/.drawn
	@cat $(DEMO_WORK)/.evaluated $(DEMO_WORK)/.drawn

$(DEMO_DATA)/.prepared: | $(INSTALLED)
	$(BIN)/python tools/prepare_data.py demo --out $(DEMO_DATA)
	@touch $@

$(DEMO_DATA)/.targets: $(DEMO_DATA)/.prepared
	$(BIN)/python tools/extract_targets.py $(DEMO_TEACHER) --data $(DEMO_DATA)
	@touch $@

$(DEMO_WORK)/.trained: $(DEMO_DATA)/.targets
	$(BIN)/python tools/train.py configs/csvr_r3d_demo.py --work-dir $(DEMO_WORK) --resume
	@touch $@

$(DEMO_WORK)/.evaluated: $(DEMO_WORK)/.trained
	$(DEMO_EVALUATE) --method Random --random | tee $@.part
	$(DEMO_EVALUATE) --method CSVR "$$(cat $(DEMO_WORK)/last_checkpoint)" | tee -a $@.part
	@mv $@.part $@

$(DEMO_WORK)/.drawn: $(DEMO_WORK)/.trained
	$(BIN)/python tools/visualize.py configs/csvr_r3d_demo.py \
		"$$(cat $(DEMO_WORK)/last_checkpoint)" | tee $@.part
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
	rm -rf $(VENV) $(NEWEST) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
