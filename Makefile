# Each target is the command of the same name; `edgekws --help` explains them.
#   make demo                              set-up, then recordings -> trained network -> measured board -> report
#   make test                              set-up, then the fast tests
#   make flash bench                       the model on BOARD, measured over serial; then the speed of this computer
#   make docs                              the documentation site in work/site; a broken link is an error
#   make coverage                          the fast tests, and the share of lines that they run
#   make check-wheel                       the wheel alone, in a fresh environment and an empty folder
#   make bench-host                        only the latter, beside the run that was saved before
#   make fuzz                              INPUTS inputs of each reader of foreign bytes, from SEED
#   make train quantize export             the model in models/dscnn, from the recordings in DATA
# Variables:
#   DATA=folder    Speech Commands (speech_commands_v0.02/ and its test archive); downloaded when not given.
#                  Blanks and ~ are allowed: make data DATA="~/my recordings"
#   TORCH=cuda     of set-up: the CUDA build of torch (cpu: back)
#   RECIPE=file    what to train      OUT=folder   where results go      BOARD=name   see `edgekws boards`
PYTHON ?= python3
RECIPE ?= models/dscnn/recipe.toml
OUT ?= work/dscnn
PREPARED ?= work/data
BOARD ?= qemu-an386
BENCHMARKS ?= work/benchmarks
INPUTS ?= 10000000
SEED ?= 0
DATA ?= $(EDGEKWS_DATA)
EDGEKWS = .venv/bin/edgekws
# One process per core with one thread each. The tests of a module run in one process, for they share what they build.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/pytest -n auto --dist loadscope -p no:benchmark

.PHONY: setup data train quantize export flash bench bench-host demo test test-slow coverage check-wheel
.PHONY: check-instructions docs fuzz lint changelog
.NOTPARALLEL:

setup:
	@$(PYTHON) scripts/setup.py

data: setup
	$(EDGEKWS) data prepare --out "$(PREPARED)" $(if $(DATA),--root "$(DATA)")

train: data
	$(EDGEKWS) train --recipe "$(RECIPE)" --data "$(PREPARED)" --out "$(OUT)"

quantize: setup
	$(EDGEKWS) quantize --recipe "$(RECIPE)" --data "$(PREPARED)" --out "$(OUT)"

export: setup
	$(EDGEKWS) export --data "$(PREPARED)" --out "$(OUT)"

flash: setup
	$(EDGEKWS) flash --board "$(BOARD)" --out "$(OUT)"

bench: setup
	$(EDGEKWS) bench --board "$(BOARD)" --data "$(PREPARED)" --out "$(OUT)"
	@$(MAKE) --no-print-directory bench-host

# The pytest-benchmark suites, saved under work/benchmarks and compared with the last run that was saved there.
bench-host: setup
	OMP_NUM_THREADS=1 .venv/bin/pytest benchmarks -p no:xdist --benchmark-only --benchmark-autosave \
		--benchmark-storage="$(BENCHMARKS)" --benchmark-columns=median,iqr,rounds --benchmark-sort=fullname
	.venv/bin/python benchmarks/compare_saved.py --storage "$(BENCHMARKS)" --out "$(BENCHMARKS)/compare.md"

demo: setup
	$(EDGEKWS) demo --board "$(BOARD)" $(if $(DATA),--root "$(DATA)")

test: setup
	$(PYTEST)

test-slow: setup
	$(PYTEST) -m "slow or not slow"

# Printed, not judged. Commands that tests start as programs of their own are not counted.
coverage: setup
	$(PYTEST) --cov=edgekws --cov=firmware_io --cov-report=term:skip-covered

check-wheel: setup
	.venv/bin/python scripts/check_wheel.py

# Instructions, flash and RAM of the DS-CNN, and instructions of the front end and of streams, on every emulated board against
# benchmarks/results.
check-instructions: setup
	.venv/bin/python benchmarks/instructions.py --check
	.venv/bin/python -m benchmarks.stream_instructions --check
	.venv/bin/python benchmarks/front_end_instructions.py --check

# The reference is made from the code, and a broken link is an error. work/site/index.html opens without a server.
docs: setup
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

fuzz: setup
	.venv/bin/python -m fuzz protocol --inputs $(INPUTS) --seed $(SEED)
	.venv/bin/python -m fuzz answers --inputs $(INPUTS) --seed $(SEED)
	.venv/bin/python -m fuzz graph --inputs $(INPUTS) --seed $(SEED)
	.venv/bin/python -m fuzz import-tflite --inputs $(INPUTS) --seed $(SEED)
	.venv/bin/python -m fuzz import-onnx --inputs $(shell expr $(INPUTS) / 10) --seed $(SEED)
	.venv/bin/python -m fuzz faults --seed $(SEED)

lint: setup
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

# Shows what changes/ holds for the next release; with VERSION=0.2.0 moves it into CHANGELOG.md.
changelog: setup
	.venv/bin/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)
