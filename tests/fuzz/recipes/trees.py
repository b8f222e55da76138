"""Decision trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe
from tests.helpers.trees import MODES, Listed, branched, listed

ML = "ai.onnx.ml."
OTHERS = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
POSTS = ("NONE", "LOGISTIC", "SOFTMAX")


def _drawn(g: Growing) -> tuple[np.random.Generator, dict[str, Any]]:
    """A generator of its own, and the size of the trees; thresholds are whole numbers or not, where values are."""
    rng = np.random.default_rng(g.draw.integer(0, 1 << 20))
    thresholds = rng.integers(-3, 4, 4).astype(float) if g.draw.chance(0.4) else np.round(rng.normal(size=6), 2)
    return rng, {"thresholds": tuple(thresholds.tolist()), "trees": g.draw.integer(1, 4), "depth": g.draw.integer(1, 4)}


def _listed(g: Growing, x: Value) -> tuple[np.random.Generator, Listed]:
    if any(node.op_type == "TreeEnsemble" for node in g.nodes):
        raise Unfit  # each is of a version of its own
    rng, size = _drawn(g)
    return rng, listed(rng, features=x.shape[-1], modes=g.draw.some(MODES[:6]), **size)


def _regressor(g: Growing, x: Value) -> Value:
    (rng, drawn), targets = _listed(g, x), g.draw.integer(1, 3)
    weights = drawn.weights("target", rng.normal(size=(len(drawn.leaves), targets)))
    more: dict[str, Any] = {"aggregate_function": g.draw.pick(("SUM", "AVERAGE", "MIN", "MAX")), "n_targets": targets}
    if g.draw.chance(0.5):
        more["base_values"] = [float(v) for v in rng.normal(size=targets)]
    more["post_transform"] = g.draw.pick(POSTS)
    given: dict[str, Any] = {**drawn.nodes, **weights, **more}
    return g.emit(f"{ML}TreeEnsembleRegressor", [x.name], (x.shape[0], targets), **given)


def _classifier(g: Growing, x: Value) -> Value:
    (rng, drawn), classes = _listed(g, x), g.draw.integer(2, 4)
    ids = [0] if classes == 2 and g.draw.chance(0.5) else list(range(classes))
    low = -0.4 if g.draw.chance(0.5) else 0.02
    weights = drawn.weights("class", rng.uniform(low, 0.4, (len(drawn.leaves), len(ids))), ids)
    labels = g.draw.pick((list(range(classes)), [5, -2, 9, 3][:classes]))
    more = {"classlabels_int64s": labels, "post_transform": g.draw.pick(POSTS)}
    outputs = [((x.shape[0],), "i"), ((x.shape[0], classes), "f")]
    given: dict[str, Any] = {**drawn.nodes, **weights, **more}
    return g.emit_many(f"{ML}TreeEnsembleClassifier", [x.name], outputs, **given)[1]


def _ensemble(g: Growing, x: Value) -> Value:
    if any(node.op_type in OTHERS for node in g.nodes):
        raise Unfit
    (rng, size), targets = _drawn(g), g.draw.integer(1, 3)
    given = branched(rng, features=x.shape[-1], modes=g.draw.some(range(6)), targets=targets, **size)
    given.update(aggregate_function=g.draw.integer(0, 1), post_transform=g.draw.integer(0, 2))
    return g.emit(f"{ML}TreeEnsemble", [x.name], (x.shape[0], targets), **given)


LATER: Mapping[str, Recipe] = {
    f"{ML}TreeEnsemble": Recipe(_ensemble, ranks=(2, 2)),
    f"{ML}TreeEnsembleClassifier": Recipe(_classifier, ranks=(2, 2)),
    f"{ML}TreeEnsembleRegressor": Recipe(_regressor, ranks=(2, 2)),
}
