"""One recipe an operator: how a random model goes on with it, from a value that is there."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes import (
    attention,
    control,
    elementwise,
    linear,
    ml,
    movement,
    recurrent,
    reduction,
    scatter,
    trees,
    windows,
)
from tests.fuzz.recipes.recipe import Recipe

GROUPS: tuple[Mapping[str, Recipe], ...] = (
    elementwise.UNARY,
    elementwise.FUNCTIONS,
    elementwise.BINARY,
    elementwise.LOGIC,
    linear.RECIPES,
    ml.RECIPES,
    movement.RECIPES,
    reduction.RECIPES,
    windows.RECIPES,
    control.RECIPES,
)
LATER: Mapping[str, Recipe] = {
    **elementwise.LATER,
    **control.LATER,
    **linear.LATER,
    **ml.LATER,
    **movement.LATER,
    **recurrent.LATER,
    **reduction.LATER,
    **trees.LATER,
    **attention.LATER,
    **scatter.LATER,
}
LATER_FROM = 10_000
"""Operators that came into the table later are drawn from this seed on: seeds before it stay the models they were."""
RECIPES: Mapping[str, Recipe] = {
    **{name: recipe for group in GROUPS for name, recipe in group.items()},
    **LATER,
}
CURVED = frozenset(elementwise.FUNCTIONS) | {
    *("Ceil", "Celu", "Elu", "Equal", "Floor", "Greater", "GreaterOrEqual", "GroupNormalization", "HardSwish"),
    *("InstanceNormalization", "LayerNormalization", "Less", "LessOrEqual", "LogSoftmax", "LpNormalization"),
    *("MeanVarianceNormalization", "Normalizer", "RMSNormalization", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"),
    *("Attention", "BiasGelu", "EmbedLayerNormalization", "FastGelu", "Gelu", "GroupQueryAttention", "LRN"),
    *("MultiHeadAttention", "QuickGelu", "SimplifiedLayerNormalization", "SkipLayerNormalization"),
    *("FusedConv", "FusedGemm", "SkipSimplifiedLayerNormalization"),
    *("GRU", "LSTM", "OneHot", "RNN"),
    *("Round", "Selu", "Sign", "SVMClassifier", "SVMRegressor", "Softmax", "Softsign"),
}
"""Operators that plain Groth16 has no table for (a few more may turn out to need one)."""


def grow(g: Growing) -> None:
    """Append one operator, drawn over the groups and then within one, with what it needs before it."""
    for _ in range(40):
        group = g.draw.pick((*GROUPS, LATER) if g.draw.seed >= LATER_FROM else GROUPS)
        recipe = group[g.draw.pick(sorted(group))]
        if not recipe.since <= g.opset <= recipe.until:
            continue
        before = (list(g.nodes), list(g.constants), list(g.values))
        try:
            recipe.make(g, _source(g, recipe))
            return
        except Unfit:
            g.nodes, g.constants, g.values = before


def _source(g: Growing, recipe: Recipe) -> Value:
    """A value to go on from, most often the newest, in the type and rank that the operator takes."""
    usable = [v for v in g.values if v.kind != "m"]
    newest = [v for v in usable[-2:] if v.kind in recipe.kinds] or usable[-1:]
    x = g.draw.pick(newest if g.draw.chance(0.8) else usable)
    if x.kind not in recipe.kinds:
        x = g.to(x, recipe.kinds[0])
    return g.ranked(x, *recipe.ranks)
