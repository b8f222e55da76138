"""Decision trees: one TREES node for all trees of a node, then what becomes of the scores.

A comparison of the model is one of two floats: x rounded to the type of the thresholds, and t. Here x is a real number,
so t moves to where rounding changes sides: x > t in float32 is x >= the middle between t and the next float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops.ml import rows_of
from zkchain.frontend.ops.movement import lookup
from zkchain.ir.graph import Op
from zkchain.ir.trees import Forest
from zkchain.typing import Array, FloatArray, IntArray

FILL = "write a weight for it into every leaf, 0 where there is none: onnxruntime takes no weight for no score"
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")  # as onnxruntime counts them
MOST_PLACES = 1 << 20
"""Bound on inner nodes, each counted as often as a way from a root leads to it."""
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True, eq=False, slots=True)
class Leaves:
    """``weight`` (leaves, outputs), and whether the leaf says anything of the output (``said``); ``tree`` of each."""

    weight: FloatArray
    said: Array
    tree: IntArray

    @property
    def always(self) -> Array:
        """The outputs of which all leaves of some tree say something, whatever the row."""
        trees = range(int(self.tree.max(initial=-1)) + 1)
        return np.asarray(np.any([self.said[self.tree == t].all(axis=0) for t in trees], axis=0))


@dataclass(frozen=True, eq=False, slots=True)
class Nodes:
    """Inner nodes: ``values`` are thresholds, or a set; children ``yes`` and ``no``, and ``roots``, are references as
    TREES has them; ``tracks``: nodes that send a missing value to ``yes`` whatever they ask."""

    feature: IntArray
    modes: Sequence[str]
    values: Sequence[Array]
    yes: IntArray
    no: IntArray
    roots: IntArray
    tracks: Array

    @property
    def of_missing(self) -> Array:
        """Nodes that send a missing value to ``yes``: it is equal to nothing, and is not more or less."""
        return self.tracks | np.asarray([mode == "BRANCH_NEQ" for mode in self.modes], dtype=np.bool_)


@dataclass(frozen=True, eq=False, slots=True)
class Ensemble:
    """The arguments of TREES, and its leaves."""

    arg: Mapping[str, Array]
    leaves: Leaves


# -- thresholds -------------------------------------------------------------------------------------------------------


def at_least(t: Array) -> FloatArray:
    """The least float64 x that, rounded to the type of t, is at least t."""
    if t.dtype == np.float64:
        return np.asarray(t)
    # of the middle below t, halves go to the even one of the two: to t if its last bit is 0; infinity is next to 2^128
    low, high = (np.clip(v, -(2.0**128), 2.0**128) for v in (_real(np.nextafter(t, np.float32(-np.inf))), _real(t)))
    middle = (low + high) / 2
    even = t.view(np.int32) % 2 == 0
    return np.where(np.isneginf(t), -np.inf, np.where(even, middle, np.nextafter(middle, np.inf)))


def _real(t: Array) -> FloatArray:
    return np.asarray(t, dtype=np.float64)


def above(t: Array) -> FloatArray:
    """The least float64 x that, rounded to the type of t, is more than t."""
    return at_least(np.nextafter(t, np.asarray(np.inf, t.dtype)))


def _equals(values: Array) -> FloatArray:
    """The ends of the intervals of the numbers that are one of these."""
    distinct = np.unique(values)
    return np.stack([at_least(distinct), above(distinct)], axis=1).ravel()


# mode: (ends of the numbers beyond the test, whether these go to the false side)
TESTS: Mapping[str, tuple[Callable[[Array], FloatArray], bool]] = MappingProxyType(
    {
        "BRANCH_LEQ": (above, True),
        "BRANCH_LT": (at_least, True),
        "BRANCH_GTE": (at_least, False),
        "BRANCH_GT": (above, False),
        "BRANCH_EQ": (_equals, False),
        "BRANCH_NEQ": (_equals, True),
        "BRANCH_MEMBER": (_equals, False),
    }
)


def _kind(call: Call) -> type[np.floating[Any]]:
    """The type in which numbers are compared."""
    return np.float64 if call.type() == onnx.TensorProto.DOUBLE else np.float32


def _tests(
    call: Call, modes: Sequence[str], values: Sequence[Array], features: IntArray, of_missing: Array
) -> tuple[IntArray, FloatArray, Array]:
    """(first, ends, whether what passes goes to the false side) of inner nodes. ``of_missing``: those that send a
    missing value to the true side."""
    unknown = sorted(set(modes) - TESTS.keys())
    if unknown:
        raise call.fail(f"a node of mode {unknown[0]}", hint=f"expected {', '.join(TESTS)} or LEAF")
    if any(np.any(np.isnan(v)) or not v.size for v in values):
        raise call.fail("a threshold that is no number")
    ends = [TESTS[mode][0](v) for mode, v in zip(modes, values, strict=True)]
    swapped = np.asarray([TESTS[mode][1] for mode in modes], dtype=np.bool_)
    limits = _limits(call, features)
    # below its limit x is missing, and goes left as a small number does: to the side of passing if that is not wanted
    turned = ~np.isnan(limits) & (of_missing != swapped)
    ends = [np.fmax(np.append(limit, e) if t else e, limit) for limit, e, t in zip(limits, ends, turned, strict=True)]
    first = np.cumsum([0, *(len(e) for e in ends)])
    flat = np.concatenate(ends) if ends else np.zeros(0)
    return first, flat, swapped ^ turned


def _limits(call: Call, features: IntArray) -> FloatArray:
    """The number below which each of these features is missing; NaN where it never is."""
    marks = call.build.missing.get(call.x())
    if marks is None:
        return np.full(features.shape, np.nan)
    rows = marks.limit.reshape(-1, call.shape()[-1])
    if not np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
        raise call.fail("what says that a feature is missing differs from row to row")
    return np.asarray(rows[0][features])


def _ensemble(call: Call, nodes: Nodes, weight: FloatArray, said: Array) -> Ensemble:
    """In the order of TREES: parents before children, without what no root leads to; a node or leaf that stands in
    several places is several."""
    nodes = _joined(nodes)
    kept, no, yes, roots = _placed(call, nodes)
    modes, values, features = [nodes.modes[n] for n in kept], [nodes.values[n] for n in kept], nodes.feature[kept]
    first, ends, swapped = _tests(call, modes, values, features, nodes.of_missing[kept])
    refs = np.concatenate([np.where(swapped, yes, no), np.where(swapped, no, yes), roots])
    leaf = refs < 0
    moved = np.where(leaf, 0 - np.cumsum(leaf), refs)
    left, right, roots = np.split(moved, [len(kept), 2 * len(kept)])
    tests = {"feature": features, "first": first, "ends": ends}
    arg = {**tests, "left": left, "right": right, "roots": roots}
    own = -1 - refs[leaf]
    tree = np.zeros(len(own), np.int64)
    for at, which in Forest.of(arg).levels():
        tree[-1 - at[at < 0]] = which[at < 0]
    return Ensemble(arg, Leaves(weight[own], said[own], tree))


def _joined(nodes: Nodes) -> Nodes:
    """Chains x = a, else x = b, else .. that lead to one place are one test of a set: so exporters write the splits of
    categories."""
    modes, values, no, tracks = list(nodes.modes), list(nodes.values), nodes.no.copy(), nodes.tracks.copy()
    equal = np.asarray([mode == "BRANCH_EQ" for mode in modes], dtype=np.bool_)
    for n in np.flatnonzero(equal).tolist():
        chain, k = [nodes.values[n]], int(nodes.no[n])
        while k >= 0 and len(chain) <= len(modes) and _continues(nodes, equal, n, k):
            chain.append(nodes.values[k])
            tracks[n] |= nodes.tracks[k]
            k = int(nodes.no[k])
        if len(chain) > 1:
            modes[n], values[n], no[n] = "BRANCH_MEMBER", np.concatenate(chain), k
    return replace(nodes, modes=modes, values=values, no=no, tracks=tracks)


def _continues(nodes: Nodes, equal: Array, n: int, k: int) -> bool:
    return bool(equal[k] and nodes.feature[k] == nodes.feature[n] and nodes.yes[k] == nodes.yes[n])


def _placed(call: Call, nodes: Nodes) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The nodes that stand in each place, level by level, with the places of their children and of the roots; leaves
    stay as they are."""
    order, places, level, start = list[IntArray](), [np.zeros((2, 0), np.int64)], nodes.roots, 0
    roots = np.where(level >= 0, np.cumsum(level >= 0) - 1, level)
    while len(level := level[level >= 0]):
        order.append(level)
        start += len(level)
        if len(order) > len(nodes.modes) or start > MOST_PLACES:
            raise call.build.error("its trees: a node leads to itself, or they stand in too many places")
        children = np.concatenate([nodes.no[level], nodes.yes[level]])
        places.append(np.where(children >= 0, start + np.cumsum(children >= 0) - 1, children).reshape(2, -1))
        level = children
    no, yes = np.concatenate(places, axis=1)
    return np.concatenate([*order, np.zeros(0, np.int64)]), no, yes, roots


# -- the operators' own forms -----------------------------------------------------------------------------------------


def _numbers(call: Call, name: str) -> Array:
    """An attribute of numbers, or its tensor of the same name (``_as_tensor``, doubles)."""
    tensor = call.attribute(f"{name}_as_tensor")
    if tensor is not None:
        return onnx.numpy_helper.to_array(tensor).ravel()
    return np.asarray(call.attribute(name) or [], dtype=np.float32)


def _whole(call: Call, name: str) -> IntArray:
    return np.asarray(call.attribute(name) or [], dtype=np.int64)


def listed(call: Call, what: str, outputs: int) -> Ensemble:
    """The trees of TreeEnsembleClassifier and -Regressor: nodes by (tree, node), and weights of their leaves."""
    key = list(zip(_whole(call, "nodes_treeids").tolist(), _whole(call, "nodes_nodeids").tolist(), strict=True))
    place = {k: n for n, k in enumerate(key)}
    modes = call.attribute("nodes_modes") or []
    if not key or len(place) != len(key) or len(modes) != len(key):
        raise call.build.error(f"its {len(key)} nodes are not one each: {len(modes)} modes, {len(place)} ids")
    leaf = np.asarray([mode == "LEAF" for mode in modes])
    ref = np.where(leaf, 0 - np.cumsum(leaf), np.cumsum(~leaf) - 1)
    inner = np.flatnonzero(~leaf)
    trees = [t for t, _ in key]

    def child(name: str) -> IntArray:
        ids = _whole(call, name)
        return np.asarray([ref[place[trees[n], int(ids[n])]] for n in inner], dtype=np.int64)

    values = _numbers(call, "nodes_values").astype(_kind(call))
    roots = list({t: ref[n] for n, t in reversed(list(enumerate(trees)))}.values())[::-1]
    nodes = Nodes(
        _whole(call, "nodes_featureids")[inner],
        [modes[n] for n in inner],
        [values[n : n + 1] for n in inner],
        child("nodes_truenodeids"),
        child("nodes_falsenodeids"),
        np.asarray(roots, dtype=np.int64),
        _flags(call, "nodes_missing_value_tracks_true", len(key))[inner],
    )
    given = [ref[place[k]] if k in place else 0 for k in _keys(call, what)]
    return _ensemble(call, nodes, *_weights(call, what, outputs, given, int(leaf.sum())))


def _flags(call: Call, name: str, count: int) -> Array:
    """An attribute of zeros and ones; none: all zero."""
    found = _whole(call, name)
    return found != 0 if found.size == count else np.zeros(count, np.bool_)


def _keys(call: Call, what: str) -> list[tuple[int, int]]:
    ids = (_whole(call, f"{what}_{name}").tolist() for name in ("treeids", "nodeids"))
    return list(zip(*ids, strict=True))


def _weights(call: Call, what: str, outputs: int, refs: Sequence[int], leaves: int) -> tuple[FloatArray, Array]:
    ids, given = _whole(call, f"{what}_ids"), _numbers(call, f"{what}_weights").astype(np.float64)
    weight, said = np.zeros((leaves, outputs)), np.zeros((leaves, outputs), np.bool_)
    at = np.asarray(refs, dtype=np.int64)
    own = at < 0  # weights of inner nodes mean nothing
    np.add.at(weight, (-1 - at[own], ids[own]), given[own])
    said[-1 - at[own], ids[own]] = True
    return weight, said


def branched(call: Call, outputs: int) -> Ensemble:
    """The trees of TreeEnsemble (ai.onnx.ml 5): inner nodes and leaves in lists of their own."""
    modes = [MODES[int(m)] for m in onnx.numpy_helper.to_array(call.attribute("nodes_modes")).ravel()]
    splits = onnx.numpy_helper.to_array(call.attribute("nodes_splits")).ravel().astype(_kind(call))
    sets = iter(_sets(call, splits.dtype))
    values = [next(sets) if mode == "BRANCH_MEMBER" else splits[n : n + 1] for n, mode in enumerate(modes)]

    def child(side: str) -> IntArray:
        ids = _whole(call, f"nodes_{side}nodeids")
        return np.where(_whole(call, f"nodes_{side}leafs") != 0, -1 - ids, ids)

    features, roots = _whole(call, "nodes_featureids"), _whole(call, "tree_roots")
    tracks = _flags(call, "nodes_missing_value_tracks_true", len(modes))
    nodes = Nodes(features, modes, values, child("true"), child("false"), roots, tracks)
    targets, given = _whole(call, "leaf_targetids"), onnx.numpy_helper.to_array(call.attribute("leaf_weights")).ravel()
    said = np.arange(outputs) == targets[:, None]
    return _ensemble(call, nodes, np.where(said, given[:, None].astype(np.float64), 0.0), said)


def _sets(call: Call, kind: np.dtype[Any]) -> list[Array]:
    """The sets of BRANCH_MEMBER nodes, which end in NaN each. (onnxruntime knows sets of whole numbers alone, and takes
    some fractions for the whole number below.)"""
    tensor = call.attribute("membership_values")
    values = np.zeros(0, kind) if tensor is None else onnx.numpy_helper.to_array(tensor).ravel().astype(kind)
    parts = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
    return [part[~np.isnan(part)] for part in parts if len(part)]


# -- scores -----------------------------------------------------------------------------------------------------------


def _scores(call: Call, ensemble: Ensemble, aggregate: str) -> int:
    """What the trees say of every output, put together: (rows, outputs)."""
    build, leaves = call.build, ensemble.leaves
    x = build.present(rows_of(call))
    trees, outputs = len(ensemble.arg["roots"]), leaves.weight.shape[1]
    if aggregate in ("SUM", "AVERAGE"):
        weight = leaves.weight / (trees if aggregate == "AVERAGE" else 1)
        return build.trees(x, build.const(weight), ensemble.arg)
    if aggregate not in ("MIN", "MAX"):
        raise call.fail(f"aggregate function {aggregate}", hint=f"expected {', '.join(AGGREGATES)}")
    spread = np.zeros((len(leaves.tree), trees, outputs))
    spread[np.arange(len(leaves.tree)), leaves.tree] = leaves.weight
    each = build.trees(x, build.const(spread.reshape(len(leaves.tree), -1)), ensemble.arg)
    op = Op.REDUCE_MAX if aggregate == "MAX" else Op.REDUCE_MIN
    return build.concat([_extreme(call, each, leaves, op, k) for k in range(outputs)], 1)


def _extreme(call: Call, each: int, leaves: Leaves, op: Op, k: int) -> int:
    """The largest or least of what those trees say that speak of output k; 0 if none does."""
    build, outputs = call.build, leaves.said.shape[1]
    trees = range(build.shape(each)[1] // outputs)
    said = [leaves.said[leaves.tree == t, k] for t in trees]
    if any(s.any() != s.all() for s in said):
        raise call.fail(f"only some leaves of a tree have a weight for output {k}", hint=FILL)
    columns = [t * outputs + k for t in trees if said[t].any()]
    if not columns:
        return build.const(np.zeros((build.shape(each)[0], 1)))
    return build.extreme(op, build.move(each, lambda at: at[:, columns]), [1])


def _with_base(call: Call, scores: int, base: FloatArray) -> int:
    outputs = call.build.shape(scores)[1]
    if base.size not in (0, outputs):
        raise call.build.error(f"{base.size} base values do not fit {outputs} outputs")
    return call.build.add(scores, call.build.const(base)) if base.size else scores


def _transformed(call: Call, scores: int, transform: str) -> int:
    build = call.build
    if transform == "NONE":
        return scores
    if transform == "LOGISTIC":
        return build.unary(scores, "sigmoid")
    if transform == "SOFTMAX":
        return build.softmax(scores, -1)
    if transform == "PROBIT":
        return build.unary(scores, "probit")
    if transform != "SOFTMAX_ZERO":
        raise call.fail(f"post_transform {transform}", hint=f"expected {', '.join(TRANSFORMS)}")
    # e^x / sum e^x of the scores that are not 0
    given = build.shift(build.scale(build.unary(scores, "equal", 0.0), -1.0), 1.0)
    powers = build.unary(build.sub(scores, build.extreme(Op.REDUCE_MAX, scores, [1])), "exp")
    kept = build.mul(powers, given)
    return build.div(kept, build.sum(kept, [1]))


def _base(call: Call) -> FloatArray:
    return _numbers(call, "base_values").astype(np.float64)


def regressor(call: Call) -> int:
    targets = call.integer("n_targets", 1)
    ensemble = listed(call, "target", targets)
    scores = _with_base(call, _scores(call, ensemble, call.attribute("aggregate_function", "SUM")), _base(call))
    return _targets(call, scores, call.attribute("post_transform", "NONE"))


def _targets(call: Call, scores: int, transform: str) -> int:
    """onnxruntime transforms a single target with PROBIT alone."""
    single = call.build.shape(scores)[1] == 1
    return scores if single and transform != "PROBIT" else _transformed(call, scores, transform)


def ensemble(call: Call) -> int:
    """TreeEnsemble of ai.onnx.ml 5."""
    found = branched(call, call.integer("n_targets", 1))
    aggregate, transform = call.integer("aggregate_function", 1), call.integer("post_transform", 0)
    if not (0 <= aggregate < len(AGGREGATES) and 0 <= transform < len(TRANSFORMS)):
        raise call.fail(f"aggregate function {aggregate} and post transform {transform}")
    return _targets(call, _scores(call, found, AGGREGATES[aggregate]), TRANSFORMS[transform])


# -- classes ----------------------------------------------------------------------------------------------------------


def classifier(call: Call) -> list[int]:
    """Label and scores, as onnxruntime has them; what is odd there is so here."""
    strings = call.attribute("classlabels_strings") or []
    labels = np.asarray(strings or call.attribute("classlabels_int64s") or [])
    found = listed(call, "class", labels.size)
    scores, transform = _scores(call, found, "SUM"), call.attribute("post_transform", "NONE")
    if labels.size > 2:
        scores = _with_base(call, scores, _base(call))
        label = _largest(call, scores, found.leaves, labels) if call.wanted[0] else scores
        return [label, _transformed(call, scores, transform)]
    if labels.size == 1:
        return _single_class(call, scores, labels, transform)
    never = np.asarray(np.logical_not(found.leaves.said.any(axis=0)))
    if np.any(~never & ~found.leaves.always):
        raise call.fail("only some leaves have a weight for one of its two classes", hint=FILL)
    return _two_classes(call, scores, labels, never, bool(np.all(found.leaves.weight >= 0)), transform)


def _largest(call: Call, scores: int, leaves: Leaves, labels: Array) -> int:
    """The label of the largest score, of those that some leaf gave; base values give one to each."""
    some, based = leaves.said.any(axis=0), bool(_base(call).size)
    if not based and np.any(some & ~leaves.always) and np.any(leaves.weight < 0):
        raise call.fail("only some leaves have a weight for one of its classes, and some are negative", hint=FILL)
    columns = np.arange(labels.size) if based else np.flatnonzero(some)
    rivals = call.build.move(scores, lambda at: at[:, columns])
    return _label(call, rivals, labels[columns])


def _label(call: Call, rivals: int, labels: Array) -> int:
    best = call.build.argmax(rivals, 1)
    return lookup(call, call.build.reshape(best, call.build.shape(rivals)[:1]), labels)


def _over(call: Call, score: int, limit: float, labels: Array) -> int:
    """The second label where the score is over the limit."""
    build = call.build
    against = build.const(np.full(build.shape(score), limit))
    return _label(call, build.concat([against, score], 1), labels)


def _column(call: Call, x: int, k: int) -> int:
    return call.build.move(x, lambda at: at[:, [k]])


def _single_class(call: Call, scores: int, labels: Array, transform: str) -> list[int]:
    base = _base(call)
    if transform != "NONE" or base.size > 1:
        raise call.fail(f"a single class with {base.size} base values and post_transform {transform}")
    score = call.build.shift(scores, float(base.sum()))
    return [_over(call, score, 0.0, _counted(np.resize(labels, 2))) if call.wanted[0] else score, score]


def _counted(labels: Array) -> Array:
    """0 and 1, whatever the labels: what onnxruntime says of a single class, and of two where both have weights."""
    return np.arange(2) if labels.dtype.kind in "iu" else labels


def _two_classes(call: Call, scores: int, labels: Array, never: Array, positive: bool, transform: str) -> list[int]:
    """``never``: classes that no leaf has a weight for; ``positive``: no weight is negative."""
    base, both = _base(call), not np.any(never)
    if base.size > 2 or (base.size == 2 and never[0]):
        raise call.fail(f"{base.size} base values with weights of class {int(never[0])} alone")
    score, pair = _pair(call, scores, base, never)
    limit = 0.5 if positive and not both else 0.0
    label = _over(call, score, limit, _counted(labels) if both else labels) if call.wanted[0] else score
    if never[1] and base.size < 2:
        return [label, _both_of_one(call, score, positive, transform)]
    return [label, _transformed(call, pair, transform)]


def _pair(call: Call, scores: int, base: FloatArray, never: Array) -> tuple[int, int]:
    """The score that decides, and those of both classes."""
    build, first, last = call.build, _column(call, scores, 0), _column(call, scores, 1)
    if never[0]:
        return last, scores
    if base.size < 2:
        first = build.shift(first, float(base.sum()))
        return first if never[1] else last, build.concat([first, last], 1)
    score = build.shift(first, float(base[0 if never[1] else 1]))
    return score, build.concat([score, last] if never[1] else [build.scale(score, -1.0), score], 1)


def _both_of_one(call: Call, score: int, positive: bool, transform: str) -> int:
    """What onnxruntime makes of one score for two classes: (1 - s, s), of weights of either sign (-s, s)."""
    if transform == "PROBIT":
        raise call.fail("PROBIT of one score for two classes", hint="onnxruntime leaves the second score undefined")
    build, logistic = call.build, transform == "LOGISTIC"
    second = build.unary(score, "sigmoid") if logistic else score
    against = build.scale(second, -1.0)
    return build.concat([build.shift(against, 1.0) if positive or logistic else against, second], 1)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "ai.onnx.ml.TreeEnsemble": ensemble,
        "ai.onnx.ml.TreeEnsembleClassifier": classifier,
        "ai.onnx.ml.TreeEnsembleRegressor": regressor,
    }
)
