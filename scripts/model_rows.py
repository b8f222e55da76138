"""What a folder of models compiles to under CG16: rows, words, accuracy, or why not. tests/snapshots/model_rows.json
keeps it for the models of the project's design folder; tests/e2e/test_model_rows.py compares.

    python scripts/model_rows.py MODELS [NAME ...]      # changes the entries of these models; all by default
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.acceptance import calibration, read_pair, samples_of, shapes_of  # noqa: E402
from zkchain import pipeline  # noqa: E402
from zkchain.errors import CompileError, ModelError  # noqa: E402
from zkchain.pipeline import Compiled  # noqa: E402

SNAPSHOT = ROOT / "tests" / "snapshots" / "model_rows.json"
Entry = Mapping[str, Any]


def compile_model(path: Path) -> Compiled:
    """With the first sample's shapes where the model leaves them open. Raises ModelError, CompileError."""
    model, data = read_pair(path)
    samples = samples_of(data)
    return pipeline.compile_model(model, calibration(data, samples), system="cg16", shapes=shapes_of(samples))


def entry(path: Path) -> Entry:
    """``max_error`` and ``top1`` are the worst of the outputs, on all samples beside the model."""
    head = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    try:
        compiled = compile_model(path)
    except (ModelError, CompileError) as error:
        return head | {"refused": f"{type(error).__name__}: {error.message}"}
    circuit, evaluation = compiled.circuit, compiled.evaluation
    outputs = () if evaluation is None else evaluation.outputs
    return head | {
        "rows": circuit.n_rows,
        "wires": circuit.n_wires,
        "words": circuit.instance_length,
        "max_error": round(max((o.max_error for o in outputs if o.equal is None), default=0.0), 6),
        "top1": min(
            (float(np.min([v for v in (o.top1, o.equal) if v is not None] or [1.0])) for o in outputs), default=1.0
        ),
    }


def main(folder: Path, names: list[str]) -> None:
    found = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.exists() else {}
    for path in sorted(folder.glob("*.onnx")):
        if not names or path.stem in names:
            found[path.stem] = entry(path)
            print(f"{path.stem}: {found[path.stem]}", file=sys.stderr, flush=True)
            SNAPSHOT.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
