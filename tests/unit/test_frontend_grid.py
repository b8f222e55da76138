"""GridSample and AffineGrid, the same as onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers.onnx_models import agrees, model, node, random
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load

GRID = [1, 4, 5, 2]


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_a_picture_at_a_grid(mode: str, padding: str, aligned: int) -> None:
    given: dict[str, Any] = {"mode": mode, "padding_mode": padding, "align_corners": aligned}
    sample = node("GridSample", ["x", "g"], **given)
    picture, grid = random([1, 2, 4, 3]), random(GRID, 2, -1.4, 1.4)
    agrees(model([sample], {"x": [1, 2, 4, 3], "g": GRID}, opset=16), picture, grid)
    agrees(model([sample], {"x": [1, 2, 4, 3]}, constants={"g": grid}, opset=16), picture)


def test_volumes() -> None:
    sample = node("GridSample", ["x", "g"], mode="linear")
    grid = random([2, 2, 1, 3, 3], 2, -1.2, 1.2)
    agrees(model([sample], {"x": [2, 2, 3, 4, 2], "g": list(grid.shape)}, opset=20), random([2, 2, 3, 4, 2]), grid)


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("size", [[1, 2, 4, 3], [2, 1, 2, 3, 1]])
def test_an_affine_grid(size: list[int], aligned: int) -> None:
    theta = [size[0], len(size) - 2, len(size) - 1]
    grid = node("AffineGrid", ["x", "size"], align_corners=aligned)
    agrees(model([grid], {"x": theta}, constants={"size": np.asarray(size, np.int64)}, opset=20), random(theta))


def test_what_is_refused() -> None:
    def sampled(grid: list[int], **given: Any) -> None:
        load(model([node("GridSample", ["x", "g"], **given)], {"x": [1, 2, 40, 40], "g": grid}, opset=20))

    for given in ({"mode": "cubic"}, {"padding_mode": "reflection"}):
        with pytest.raises(UnsupportedOp, match="padding_mode") as refused:
            sampled(GRID, **given)
        assert "paddings zeros, border" in str(refused.value)
    with pytest.raises(UnsupportedOp, match="400 variable places"):
        sampled([1, 20, 20, 2])
    with pytest.raises(ModelError, match="does not fit a picture"):
        sampled([1, 2, 2, 3])
