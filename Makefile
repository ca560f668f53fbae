# The commands people type. `make help` lists them.

VENV   ?= .venv
PYTHON ?= python3
BIN    := $(CURDIR)/$(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLS  := $(VENV)/.installed-dev

# Stages run `python -m stages.<name>`: it must be the interpreter of the environment.
export PATH := $(BIN):$(PATH)
# The same bits on every x86-64 machine, as in dvc.yaml.
PORTABLE := python -m fhvae.portable
# A process a core, with one thread each; a file of tests stays in one, which sets it up once.
# What takes longest begins first (tests/conftest.py).
PYTEST := $(PORTABLE) python -m pytest -n auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder

# On the platform that requirements*.lock are for, every package is installed by hash; `make LOCKED= ...` goes
# without. The second line of `install` then finds all there but torch, which no lock can hold.
LOCKED ?= $(shell $(PYTHON) -c 'import platform as p, sys; print("1" * (p.libc_ver()[0] == "glibc" \
  and p.machine() == "x86_64" and (3, 11) <= sys.version_info < (3, 14)))' 2>/dev/null)
PIP = "$(BIN)/python" -m pip install --quiet --disable-pip-version-check
define install
$(if $(filter 1,$(LOCKED)),$(PIP) --require-hashes --no-deps -r $(1).lock)
$(PIP) -r $(1).txt
endef

.PHONY: help reproduce test check format lint types layers fast deps tiny fuzz benchmark gpu results paper-tables \
  figures verify setup site lock sbom

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(STAMP): requirements.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(call install,requirements)
	touch $@

$(TOOLS): requirements-dev.txt requirements-dev.lock $(STAMP)
	$(call install,requirements-dev)
	touch $@

# DVC runs one stage at a time. What needs no trained model runs beside the training, which leaves
# a core idle; the next line runs the rest, and nothing twice. What probe and summary write is in git
# alone, so in a fresh clone DVC finds them done: they are run where no record says that they were.
# DVC takes what has its size and its times for unchanged; in the end every byte is hashed.
BESIDE := ivector baselines recognize_baselines f0
ONE    := dvc --wait-for-lock repro --single-item
reproduce: $(STAMP) ## environment, the whole pipeline on the default corpus, the metrics
	@python .ci/mend_dvc.py
	dvc repro domains
	@$(ONE) $(BESIDE) & beside=$$!; $(ONE) train; trained=$$?; wait $$beside && exit $$trained
	dvc repro
	@test -e runs/probe.json || { $(ONE) --force probe summary && dvc repro; }
	@python .ci/verify.py --outputs
	@python -m fhvae.report.headline

test: $(TOOLS) ## all tests that need no GPU, the tiny pipeline included; pages need Chromium
	$(PYTEST) -m "not gpu"

check: format lint types layers fast ## what a review would say first

format: $(STAMP)
	ruff format --check .

lint: $(STAMP)
	ruff check .

types: $(STAMP)
	mypy

layers: $(STAMP)
	lint-imports

fast: $(STAMP)
	$(PYTEST) -q -m "not slow and not gpu"

fuzz: $(TOOLS) ## damaged recordings, tables, archives and files by the 100,000; FHVAE_FUZZ=N, FHVAE_FUZZ_SEED=N
	FHVAE_FUZZ=$${FHVAE_FUZZ:-100000} $(PORTABLE) python -m pytest -q -rP tests/fuzz

deps: $(STAMP) ## the code in dvc.yaml's deps, from what each stage imports
	python .ci/stage_deps.py --write

tiny: $(STAMP) ## the pipeline on made-up data in a temporary clone, about a minute
	$(PORTABLE) python -m pytest tests/test_tiny_repro.py

# TORTURE='--seconds 300' is a part of it; '--repeats 12' runs it under other locales, time zones, hash seeds.
.PHONY: torture
torture: $(STAMP) ## faults over the whole pipeline of a tiny corpus; docs/torture.md
	$(PORTABLE) python -m tests.torture $(TORTURE)

# glibc keeps freed blocks, as in the stage train (see dvc.yaml).
benchmark: export MALLOC_MMAP_THRESHOLD_ = 4000000000
benchmark: export MALLOC_TRIM_THRESHOLD_ = 4000000000
benchmark: $(STAMP) ## speed and memory of features, training and latents; writes benchmarks/results/
	$(PORTABLE) python -m benchmarks.step
	$(PORTABLE) python -m benchmarks.logits
	$(PORTABLE) python -m benchmarks.training_process
	$(PORTABLE) python -m benchmarks.extraction
	$(PORTABLE) python -m benchmarks.blocks
	$(PORTABLE) python -m benchmarks.kills
	$(PORTABLE) python -m benchmarks.features
	$(PORTABLE) python -m benchmarks.speed_table

figures: $(STAMP) ## the figures as PDF for papers: one column wide, fonts embedded
	@python .ci/mend_dvc.py
	dvc repro figures
	@echo "data/figures/*.pdf"

verify: $(STAMP) ## every byte of DVC's cache and of the outputs against their hashes
	@python .ci/verify.py

# With DATA=DIR, a folder of recordings, also a training of the paper's size on them; stopped, it goes
# on from its checkpoint (the clone that it runs in does not stay).
gpu: export FHVAE_CKPT_DIR ?= $(CURDIR)/checkpoints
gpu: $(STAMP) ## with a GPU: tests, speed (benchmarks/results/gpu.json); DATA=DIR: the paper's size, too
	python -m pytest -m gpu
	python -m benchmarks.gpu
	$(if $(DATA),python -m experiments.sweep run --corpus speechocean762-paper --data "$(DATA)")

results: $(STAMP) ## docs/results.md and the table of README.md from the runs in experiments/results/sweep/
	python -m experiments.sweep table

# PAPER='--only alpha*-z32 --seeds 0' makes a part of it; PAPER='--name timit -S corpus.name=timit ...' another corpus.
paper-tables: $(STAMP) ## the paper's tables from DVC's queue of experiments; docs/results/paper-*
	python -m experiments.paper run $(PAPER)

setup: $(TOOLS) ## environment and the hooks before commit and push
	pre-commit install

site: $(TOOLS) ## the documentation as a site that opens from disk: site/index.html
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet
	@echo "site/index.html"

# Tools of these two alone, in an environment of their own: they are in nobody's way.
$(VENV)/audit/.installed: private BIN := $(CURDIR)/$(VENV)/audit/bin
$(VENV)/audit/.installed: requirements-audit.txt requirements-audit.lock $(STAMP)
	$(PYTHON) -m venv $(VENV)/audit
	$(call install,requirements-audit)
	touch $@

lock: $(VENV)/audit/.installed ## requirements*.lock: every package by hash, as requirements*.txt resolve now
	PATH="$(CURDIR)/$(VENV)/audit/bin:$$PATH" python .ci/lock.py

sbom: $(TOOLS) $(VENV)/audit/.installed ## sbom.json (CycloneDX) of what is installed; licences in docs/licences.md
	$(VENV)/audit/bin/cyclonedx-py environment --output-reproducible --of JSON -o sbom.json "$(BIN)/python"
	PATH="$(CURDIR)/$(VENV)/audit/bin:$$PATH" python .ci/licences.py "$(BIN)/python"
	@echo "sbom.json"
