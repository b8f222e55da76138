#!/usr/bin/env bash
# Runs one step of scripts/csp_benchmarks with the Python that has zkchain: ZKCHAIN_PYTHON, or the checkout's own.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
python="${ZKCHAIN_PYTHON:-$root/.venv/bin/python}"
exec env PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" "$python" -m scripts.csp_benchmarks "$@"
