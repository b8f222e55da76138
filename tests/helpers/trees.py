"""Random decision trees: as the arguments of TREES, and as the attributes of ONNX's operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")


@dataclass
class Forest:
    """Inner nodes as lists; ``values``: rows of leaves."""

    feature: list[int] = field(default_factory=list)
    ends: list[list[Any]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)

    def arg(self, kind: type[Any] = np.int64) -> dict[str, Array]:
        """The arguments of TREES."""
        first = np.cumsum([0, *map(len, self.ends)])
        flat: Array = np.asarray([end for ends in self.ends for end in ends], dtype=kind)
        lists = {
            name: np.asarray(getattr(self, name), dtype=np.int64) for name in ("feature", "left", "right", "roots")
        }
        return {**lists, "first": first, "ends": flat}


def forest(
    rng: np.random.Generator,
    *,
    features: int = 3,
    depth: int = 3,
    trees: int = 2,
    outputs: int = 1,
    low: int = -4,
    high: int = 8,
    most: int = 1,
    oblivious: bool = False,
) -> Forest:
    """Trees with whole ends from low to high, up to ``most`` for a test; ``oblivious``: one test a level."""
    made = Forest()

    def draw() -> tuple[int, list[int]]:
        count = int(rng.integers(1, most + 1))
        return int(rng.integers(features)), sorted(rng.integers(low, high + 1, count).tolist())

    def grow(level: int, tests: Sequence[tuple[int, list[int]]]) -> int:
        if level == depth or (not oblivious and level and rng.random() < 0.15):
            made.values.append(rng.integers(-9, 10, outputs))
            return -len(made.values)
        node = len(made.feature)
        feature, ends = tests[level] if oblivious else draw()
        made.feature.append(feature)
        made.ends.append(ends)
        made.left.append(0)
        made.right.append(0)
        made.left[node], made.right[node] = grow(level + 1, tests), grow(level + 1, tests)
        return node

    for _ in range(trees):
        made.roots.append(grow(0, [draw() for _ in range(depth)]))
    return made


# -- ONNX -------------------------------------------------------------------------------------------------------------


@dataclass
class Listed:
    """Nodes as the first versions of the operators list them, and their leaves, (tree, node)."""

    nodes: dict[str, list[Any]]
    leaves: list[tuple[int, int]]

    def weights(self, what: str, rows: Array, ids: Sequence[int] | None = None) -> dict[str, list[Any]]:
        """Attributes for the weights (leaves, ids) of outputs."""
        columns = list(range(rows.shape[1])) if ids is None else list(ids)
        each = [(t, n, k, float(rows[i, j])) for i, (t, n) in enumerate(self.leaves) for j, k in enumerate(columns)]
        names = ("treeids", "nodeids", "ids", "weights")
        return {f"{what}_{name}": list(column) for name, column in zip(names, zip(*each, strict=True), strict=True)}


def listed(
    rng: np.random.Generator,
    thresholds: Sequence[float],
    *,
    trees: int,
    depth: int,
    features: int,
    modes: Sequence[str],
) -> Listed:
    """Random trees whose nodes stand in a random order behind their roots."""
    nodes: dict[str, list[Any]] = {}
    leaves: list[tuple[int, int]] = []

    def put(**one: Any) -> None:
        for name, value in one.items():
            nodes.setdefault(f"nodes_{name}", []).append(value)

    for tree in range(trees):
        rows: list[dict[str, Any]] = []

        def grow(level: int, rows: list[dict[str, Any]] = rows) -> int:
            own = len(rows)
            leaf = level == depth or (level > 0 and rng.random() < 0.2)
            row = {"nodeids": own, "featureids": 0, "modes": "LEAF", "values": 0.0, "truenodeids": 0, "falsenodeids": 0}
            rows.append(row)
            if not leaf:
                row.update(featureids=int(rng.integers(features)), modes=str(rng.choice(np.asarray(modes))))
                row.update(values=float(rng.choice(np.asarray(thresholds))))
                row.update(truenodeids=grow(level + 1), falsenodeids=grow(level + 1))
            return own

        grow(0)
        for row in [rows[0], *(rows[int(k)] for k in 1 + rng.permutation(len(rows) - 1))]:
            put(treeids=tree, **row)
            if row["modes"] == "LEAF":
                leaves.append((tree, row["nodeids"]))
    return Listed(nodes, leaves)


def ensemble_model(
    op: str, attributes: Mapping[str, Any], features: int, *, double: bool = False, version: int = 3
) -> onnx.ModelProto:
    """One tree operator on x (1, features); outputs y, or label and scores."""
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    labels = op == "TreeEnsembleClassifier"
    outputs = [("label", TensorProto.INT64), ("scores", TensorProto.FLOAT)] if labels else [("y", TensorProto.FLOAT)]
    if op == "TreeEnsemble":
        outputs = [("y", kind)]
    proto = helper.make_node(op, ["x"], [name for name, _ in outputs], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [proto],
        "trees",
        [helper.make_tensor_value_info("x", kind, [None, features])],
        [helper.make_tensor_value_info(name, type_, None) for name, type_ in outputs],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def branched(
    rng: np.random.Generator,
    thresholds: Sequence[float],
    *,
    trees: int,
    depth: int,
    features: int,
    modes: Sequence[int],
    targets: int = 1,
    double: bool = False,
) -> dict[str, Any]:
    """The attributes of random trees as TreeEnsemble of ai.onnx.ml 5 lists them."""
    kind = np.float64 if double else np.float32
    lists: dict[str, list[int]] = {name: [] for name in ("feature", "mode", "true", "false", "trueleaf", "falseleaf")}
    splits, members, leaves, ids, roots = list[float](), list[float](), list[float](), list[int](), list[int]()

    def leaf() -> int:
        leaves.append(float(np.round(rng.normal(), 3)))
        ids.append(int(rng.integers(targets)))
        return len(leaves) - 1

    def grow(level: int) -> int:
        own, mode = len(splits), int(rng.choice(np.asarray(modes)))
        for name, value in (("feature", int(rng.integers(features))), ("mode", mode)):
            lists[name].append(value)
        splits.append(0.0 if mode == 6 else float(rng.choice(np.asarray(thresholds))))
        if mode == 6:
            members.extend([*rng.choice(np.asarray(thresholds), 3).tolist(), np.nan])
        for name in ("true", "false", "trueleaf", "falseleaf"):
            lists[name].append(0)
        for side in ("true", "false"):
            is_leaf = level + 1 == depth or rng.random() < 0.2
            lists[f"{side}leaf"][own] = int(is_leaf)
            lists[side][own] = leaf() if is_leaf else grow(level + 1)
        return own

    for _ in range(trees):
        roots.append(grow(0))
    tensors = {"nodes_splits": (splits, kind), "nodes_modes": (lists["mode"], np.uint8), "leaf_weights": (leaves, kind)}
    if members:
        tensors["membership_values"] = (members, kind)
    return {
        **{name: numpy_helper.from_array(np.asarray(values, dtype)) for name, (values, dtype) in tensors.items()},
        "nodes_featureids": lists["feature"],
        "nodes_truenodeids": lists["true"],
        "nodes_falsenodeids": lists["false"],
        "nodes_trueleafs": lists["trueleaf"],
        "nodes_falseleafs": lists["falseleaf"],
        "tree_roots": roots,
        "leaf_targetids": ids,
        "n_targets": targets,
    }
