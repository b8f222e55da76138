"""Train the demo model: a 64-32-10 perceptron on scikit-learn's handwritten digits.

Writes ``zkchain/demo/digits.onnx`` (outputs: logits and label) and ``zkchain/demo/digits.npz`` (uint8 pixels 0..16:
calibration rows and held-out test rows with their labels). Both files are committed; the same library versions and seed
give the same bytes.

    python scripts/train_digits.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from zkchain.formats import npz

SEED = 7
PIXEL_MAX = 16
CALIBRATION_ROWS = 256

FloatArray = npt.NDArray[np.float64]


def train(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> MLPClassifier:
    """Fit 64-32-10 with ReLU on pixels scaled to 0..1."""
    model = MLPClassifier((32,), alpha=1e-2, max_iter=2000, learning_rate_init=2e-3, tol=1e-5, random_state=SEED)
    return model.fit(pixels / PIXEL_MAX, labels)


def to_onnx(model: MLPClassifier) -> onnx.ModelProto:
    """logits = relu(x W1 / 16 + b1) W2 + b2; label = argmax(logits). The input takes pixels 0..16 as they are."""
    first, second = model.coefs_
    weights = {
        "hidden.weight": first / PIXEL_MAX,
        "hidden.bias": model.intercepts_[0],
        "logits.weight": second,
        "logits.bias": model.intercepts_[1],
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["image", "hidden.weight", "hidden.bias"], ["hidden"], name="hidden"),
            helper.make_node("Relu", ["hidden"], ["active"], name="relu"),
            helper.make_node("Gemm", ["active", "logits.weight", "logits.bias"], ["logits"], name="logits"),
            helper.make_node("ArgMax", ["logits"], ["label"], name="label", axis=1, keepdims=0),
        ],
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 64])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10]),
        ],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="zkchain")
    proto.ir_version = 8
    onnx.checker.check_model(proto, full_check=True)
    return proto


def main(folder: Path) -> None:
    digits = load_digits()
    pixels, labels = digits.data.astype(np.uint8), digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, labels, test_size=360, random_state=SEED, stratify=labels
    )
    model = train(train_x, train_y)
    data = {
        "image": train_x[:CALIBRATION_ROWS],
        "labels": train_y[:CALIBRATION_ROWS].astype(np.uint8),
        "test/image": test_x,
        "test/labels": test_y.astype(np.uint8),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "digits.onnx").write_bytes(to_onnx(model).SerializeToString(deterministic=True))
    (folder / "digits.npz").write_bytes(npz.pack(data))
    print(f"test accuracy {model.score(test_x / PIXEL_MAX, test_y):.4f} on {len(test_y)} held-out digits")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "zkchain" / "demo")
