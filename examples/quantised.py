"""A model quantised by onnxruntime: the circuit proves its integers, bit for bit. python examples/quantised.py"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import QuantFormat, quantize_static

import zkchain
from zkchain.formats import shipped


def main() -> None:
    data = shipped.data()
    exact = SessionOptions()  # else sums of bytes saturate on processors without VNNI
    exact.add_session_config_entry("session.x64quantprecision", "1")
    samples = iter([{"image": image[None].astype(np.float32)} for image in data["image"][:100]])
    reader = SimpleNamespace(get_next=lambda: next(samples, None))  # what onnxruntime calibrates on
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "digits.onnx"), Path(folder, "digits-int8.onnx")
        plain.write_bytes(shipped.model())
        quantize_static(plain, small, reader, quant_format=QuantFormat.QDQ)
        circuit, session = zkchain.compile(small, data), InferenceSession(small, exact)
    print(circuit)
    image = data["test/image"][:1]
    proof = circuit.setup().prove(image=image)
    _, logits = session.run(["label", "logits"], {"image": image.astype(np.float32)})
    print("largest difference from onnxruntime:", np.abs(proof.outputs["logits"] - logits).max())


if __name__ == "__main__":
    main()
