"""Fresh exports of torch and Keras (the extra ``networks``; what is not installed is skipped): outputs as theirs.

Both are large: for a nightly run, not for every checkout.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from tests.exports.agreement import answers, compiled, numbers_agree
from tests.helpers.onnx_models import Array

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS, HELD_OUT = 40, 50


def rows(*shape: int, kind: str = "numbers") -> Array:
    rng = np.random.default_rng(0)
    if kind == "words":
        return rng.integers(0, 12, (ROWS + HELD_OUT, *shape))
    return rng.normal(size=(ROWS + HELD_OUT, *shape)).astype(np.float32)


# -- torch ------------------------------------------------------------------------------------------------------------


def _image(nn: Any, *layers: Any, channels: int) -> Any:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


def _recurrent(torch: Any, kind: str) -> Any:
    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = getattr(torch.nn, kind)(3, 4, batch_first=True, bidirectional=True)
            self.last = torch.nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.last(self.inner(x)[0][:, -1])

    return Model()


def _pooled(torch: Any) -> Any:
    """A bag of words, weighed by attention."""

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.score = torch.nn.Embedding(12, 4), torch.nn.Linear(4, 1)

        def forward(self, x: Any) -> Any:
            found = self.words(x)
            return (torch.softmax(self.score(found), 1) * found).sum(1)

    return Model()


def _parts(torch: Any) -> Any:
    """A list of tensors, put together again."""

    class Model(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return torch.cat([torch.relu(part) * (k + 1) for k, part in enumerate(x.split(2, 1))], 1)

    return Model()


TORCH: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "perceptron": (
        lambda t: t.nn.Sequential(t.nn.Linear(6, 8), t.nn.BatchNorm1d(8), t.nn.PReLU(), t.nn.Linear(8, 3)),
        rows(6),
    ),
    "groups": (
        lambda t: _image(t.nn, t.nn.Conv2d(4, 8, 3, groups=2), t.nn.GroupNorm(2, 8), t.nn.ReLU(), channels=8),
        rows(4, 6, 6),
    ),
    "dilated": (
        lambda t: _image(t.nn, t.nn.Conv2d(2, 4, 3, dilation=2, padding="same"), t.nn.ReLU(), channels=4),
        rows(2, 6, 6),
    ),
    "transposed": (
        lambda t: _image(t.nn, t.nn.ConvTranspose2d(2, 3, 3, stride=2), t.nn.LeakyReLU(), channels=3),
        rows(2, 4, 4),
    ),
    "shuffled": (
        lambda t: _image(t.nn, t.nn.Conv2d(2, 8, 3), t.nn.PixelShuffle(2), t.nn.ReLU6(), channels=2),
        rows(2, 5, 5),
    ),
    "upsampled": (
        lambda t: _image(t.nn, t.nn.Upsample(scale_factor=2, mode="bilinear"), t.nn.Conv2d(2, 3, 3), channels=3),
        rows(2, 4, 4),
    ),
    "gated": (lambda t: _recurrent(t, "GRU"), rows(4, 3)),
    "long and short": (lambda t: _recurrent(t, "LSTM"), rows(4, 3)),
    "words": (_pooled, rows(5, kind="words")),
    "parts": (_parts, rows(6)),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    make, x = TORCH[name]
    model, file = make(torch).eval(), io.BytesIO()
    torch.onnx.export(model, torch.from_numpy(x[:1]), file, dynamo=False, opset_version=17, input_names=["x"])
    found = answers(compiled(onnx.load_from_string(file.getvalue()), x[:ROWS]), x[ROWS:])[0]
    with torch.no_grad():
        numbers_agree(found, model(torch.from_numpy(x[ROWS:])).numpy())


# -- Keras ------------------------------------------------------------------------------------------------------------

KERAS: dict[str, tuple[Callable[[Any], list[Any]], Array]] = {
    "perceptron": (
        lambda layers: [layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(3, "softmax")],
        rows(6),
    ),
    "pictures": (
        lambda layers: [
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ],
        rows(6, 6, 2),
    ),
    "depthwise": (
        lambda layers: [layers.DepthwiseConv2D(3, padding="same"), layers.ReLU(6), layers.GlobalAveragePooling2D()],
        rows(6, 6, 2),
    ),
    "transposed": (
        lambda layers: [layers.Conv2DTranspose(3, 3, strides=2, padding="same"), layers.GlobalAveragePooling2D()],
        rows(4, 4, 2),
    ),
    "long and short": (lambda layers: [layers.LSTM(4), layers.Dense(2, "softmax")], rows(4, 3)),
    "both ways": (lambda layers: [layers.Bidirectional(layers.GRU(3)), layers.Dense(2)], rows(4, 3)),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras(name: str) -> None:
    tensorflow, tf2onnx = pytest.importorskip("tensorflow"), pytest.importorskip("tf2onnx")
    keras = tensorflow.keras
    keras.utils.set_random_seed(0)
    make, x = KERAS[name]
    model = keras.Sequential([keras.Input(x.shape[1:]), *make(keras.layers)])
    signature = [tensorflow.TensorSpec((None, *x.shape[1:]), "float32", name="x")]
    function = tensorflow.function(model, input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=15)
    numbers_agree(answers(compiled(proto, x[:ROWS]), x[ROWS:])[0], model(x[ROWS:]).numpy())
