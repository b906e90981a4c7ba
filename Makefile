# Everything here works on a machine that has Python (3.11 or newer) and a C compiler: the targets make their own .venv.
PYTHON ?= python3
BIN := .venv/bin
# One worker per core, with one thread each, since more would compete for the cores; tests/kernels sets two itself.
PYTEST = MINIDL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 \
	$(BIN)/python -m pytest -q --numprocesses logical --maxprocesses 4
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test test-arm64 build lint clean sanitize site test-site bench bench-quick bench-peers gpu

help:
	@echo "make demo    train the default network on handwritten digits; checkpoint and pictures in runs/digits-cnn"
	@echo "make test    run all tests; with MINIDL_DATA=FOLDER also those that need MNIST, CIFAR-10 ..."
	@echo "make site    the executed tutorials, a page for each kernel and operation, the API: site/index.html"
	@echo "make test-site   build the site and open it in a headless Chromium; screenshots in build/site/screenshots"
	@echo "make build   compile the Cython kernels whose sources changed, and show the state of each"
	@echo "make bench   measure kernels and training steps against other libraries, into benchmarks/results (28 minutes)"
	@echo "make bench-quick   the same, but too short to be exact, into build/bench: to see that all of it runs"
	@echo "make gpu     on a machine with a GPU: run the GPU tests and benchmarks, into benchmarks/results (14 minutes)"
	@echo "make lint    ruff"
	@echo "make sanitize   kernel tests under AddressSanitizer and UBSan (GCC; some minutes)"
	@echo "make test-arm64   kernel tests on arm64, cross-compiled and run by QEMU (Debian on x86-64; takes long)"
	@echo "make clean   remove what was built"
	@echo "PYTHON=python3.12 make ...   chooses the Python for a new .venv"

demo: .venv/demo.stamp
	@$(BIN)/python setup.py --quiet build_ext --inplace
	$(BIN)/minidl train digits-cnn --output runs/digits-cnn --json

test: .venv/test.stamp
	@$(BIN)/python setup.py --quiet build_ext --inplace
	$(PYTEST) --dist worksteal --durations=10

build: .venv/demo.stamp
	$(BIN)/python setup.py --quiet build_ext --inplace
	$(BIN)/python kernels/build_report.py

site: .venv/docs.stamp
	@$(BIN)/python setup.py --quiet build_ext --inplace
	$(BIN)/python docs/build.py

test-site: site .venv/test.stamp
	$(PYTEST) --dist worksteal tests/site

test-arm64: .venv/test.stamp
	tests/arm64.sh

lint: .venv/test.stamp
	$(BIN)/ruff check .

# The libraries to compare with: PyTorch in .venv, JAX and TensorFlow in environments of their own, as they bring their
# own NumPy or threads. The benchmarks report those that cannot be installed as missing.
TORCH = torch==2.13.0$(if $(filter Linux,$(shell uname)),+cpu)

bench-peers: .venv/bench.stamp
	@$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet $(TORCH) || \
	$(BIN)/python -m pip install --quiet $(TORCH) --extra-index-url https://download.pytorch.org/whl/cpu || \
	echo "make bench: $(TORCH) cannot be installed here" >&2
	@for peer in jax:jax tensorflow:tensorflow-cpu; do \
	  python=.venv-$${peer%%:*}/bin/python; \
	  $$python -c "import $${peer%%:*}" 2>/dev/null || \
	  { $(PYTHON) -m venv .venv-$${peer%%:*} && $$python -m pip install --quiet $${peer##*:}; } || \
	  echo "make bench: $${peer##*:} cannot be installed here" >&2; \
	done
	@$(BIN)/python setup.py --quiet build_ext --inplace

# Run this on a machine that does nothing else.
bench: bench-peers
	$(BIN)/python -m benchmarks all benchmarks/results

bench-quick: bench-peers
	$(BIN)/python -m benchmarks all build/bench --quick

# Without .venv: PYTHON must have CuPy, and PyTorch with CUDA.
gpu:
	PYTHON=$(PYTHON) benchmarks/on_gpu.sh

# Works on a copy of the tree, to keep the ordinary binaries. Alignment is not checked: UBSan does not see that our
# vectors are declared as unaligned. Nor are leaks: Python keeps objects until it exits. ASan holds freed memory back
# for a while, so the tests that memory is given back are left out.
SANITIZERS = -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=undefined
RUNTIMES = $$(for name in asan ubsan stdc++; do printf "%s " $$(gcc -print-file-name=lib$$name.so); done)

sanitize: .venv/test.stamp
	rm -rf build/sanitized
	mkdir -p build/sanitized
	cp -r minidl kernels tests setup.py pyproject.toml README.md LICENSE build/sanitized
	find build/sanitized -name '*.so' -delete
	ln -s ../kernels build/sanitized/minidl/kernels
	cd build/sanitized && export CC=gcc CFLAGS="$(SANITIZERS) -O1 -g1" LDFLAGS="$(SANITIZERS)" && \
	$(CURDIR)/$(BIN)/python setup.py --quiet build_ext --inplace && \
	LD_PRELOAD="$(RUNTIMES)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. \
	$(CURDIR)/$(BIN)/python -m pytest tests/kernels tests/nn/test_recurrent_kernels.py tests/optim/test_optimizer_kernels.py \
	-q -p no:cacheprovider -k "not numba and not no_access_beyond and not given_back"

clean:
	rm -rf build dist site *.egg-info
	find kernels -name '*.so' -delete
	rm -f kernels/build_failures.json

.venv/bin/python:
	$(PYTHON) -m venv .venv

# .venv/demo.stamp installs the extra `demo`, .venv/test.stamp the extra `test`. Without build isolation: the build then
# uses the Cython of .venv, as `make build` does, and keeps the extensions that are up to date.
.venv/%.stamp: setup.py pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet "setuptools>=77" "Cython>=3.1"
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[$*]"
	@touch $@
