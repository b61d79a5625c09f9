# Two commands: `make app` starts the dashboard, `make test` runs all tests. Each sets up what it
# needs in .venv first. Python 3.11 or newer; set PYTHON to choose one.
PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY ?= passive
export TOKENIZERS_PARALLELISM ?= false

.PHONY: app test soak lint bench demo docs clean

app: .venv/app.stamp
	$(BIN)/python -m capo_core app

test: .venv/dev.stamp
	@sh tests/browser/install_chromium.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Long fault and simulation runs: calibration on 100 null datasets, and the like. The readers of
# all formats, and the sentences on results, meet new random cases in each run.
soak: .venv/dev.stamp
	$(BIN)/python -m pytest -m slow -s
	CAPO_NEW_CASES=1 CAPO_EXAMPLES=300 $(BIN)/python -m pytest tests/data/test_importer_properties.py
	CAPO_NEW_CASES=1 CAPO_TABLES=400 $(BIN)/python -m pytest tests/evaluation/test_claims.py \
		tests/stability/test_stability_claims.py

lint: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Speed is measured here, never in a test; every script prints JSON.
bench: .venv/dev.stamp
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

# Make the shipped demo anew, with its results (minutes); a test holds the data equal to what lies
# in data/, and the results to this build's settings.
demo: .venv/app.stamp
	$(BIN)/python -m capo_core.simulation.demo
	$(BIN)/python -m capo_core.demo_results

# Write docs/settings.md anew from the classes; a test holds it equal.
docs: .venv/app.stamp
	$(BIN)/python -m capo_core.cli.settings_table docs/settings.md

clean:
	rm -rf .venv

.venv/app.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CAPO Lab needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: .venv/app.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
