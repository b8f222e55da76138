# Each target does all the set-up it needs: Python >= 3.11 and a Rust toolchain are required, Node gives the Solidity
# compiler and the tools that tests compare with (snarkjs, anvil).

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.zkchain-core
READY := $(VENV)/.zkchain-ready
RUST := $(shell find rust -path '*/target' -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)

.PHONY: help setup demo test test-slow lint analyse rust-check arm-check wheel clean

help:
	@echo "make setup       virtual environment, native core, development tools"
	@echo "make demo        model.onnx -> circuit -> keys -> proof -> verified in a transaction on an embedded chain"
	@echo "make test        the test suite (minutes)"
	@echo "make test-slow   the tests marked slow"
	@echo "make lint        ruff and mypy --strict"
	@echo "make analyse     slither, solhint and solc's warnings over all Solidity: everything is answered"
	@echo "make rust-check  cargo fmt, clippy and test"
	@echo "make arm-check   the Rust tests for 64-bit ARM, emulated by qemu"
	@echo "make wheel       build a wheel into dist and look into it"
	@echo "make clean       remove the virtual environment and everything built"

setup: $(READY)

# What the demo needs, and no more: the package, its dependencies, the Solidity compiler.
$(CORE): pyproject.toml package-lock.json $(RUST)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"zkchain needs Python >= 3.11, {sys.executable} is {v[0]}.{v[1]}: run make PYTHON=/path/to/python3.11")'
	@command -v cargo >/dev/null || { echo "zkchain builds its native core with Rust, and cargo is not on PATH: install a Rust toolchain (rustup)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "maturin>=1.9,<2"
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release
	@if command -v npm >/dev/null; then npm install --no-save --no-audit --no-fund --omit=dev; \
	 else echo "npm is not on PATH: no Solidity compiler, snarkjs or anvil from npm; install Node >= 18"; fi
	@touch $@

$(READY): $(CORE)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --extras dev
	@if command -v npm >/dev/null; then npm install --no-save --no-audit --no-fund; fi
	@touch $@

demo: $(CORE)
	$(BIN)/zkchain demo

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# installs slither and solhint, at pinned versions, into .cache/analysis
analyse: $(READY)
	$(BIN)/python scripts/analyse_contracts.py

rust-check:
	cd rust && cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && cargo test --workspace -- --include-ignored

ARM := aarch64-unknown-linux-gnu
ARM_CARGO := CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" cargo

arm-check:
	@command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null || { echo "needs an emulator and a linker: apt-get install qemu-user gcc-aarch64-linux-gnu"; exit 1; }
	@test -d "$$(rustc --print target-libdir --target $(ARM))" || { echo "needs Rust's library: rustup target add $(ARM)"; exit 1; }
	cd rust && cargo clippy --package zkchain-core --all-targets --target $(ARM) -- -D warnings
	cd rust && $(ARM_CARGO) test --package zkchain-core --target $(ARM)

wheel: $(READY)
	rm -rf dist
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin build --release --out dist
	$(BIN)/python scripts/check_wheel.py dist/*.whl

clean:
	rm -rf $(VENV) node_modules rust/target zkchain/_core*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
