"""Distances between rows: of a value to constant centres, or between two values.

sum_k (x_k - c_k)^2 is built as it stands: the form x^2 - 2 x c + c^2 loses all digits of a short distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from zkchain.frontend.call import Call, Rule
from zkchain.ir.builder import Builder


def summed_powers(build: Builder, x: int, y: int, power: int = 2) -> int:
    """(n, f) and (m, f) -> (n, m): sum_k |x_ik - y_jk|^power, power 1 or 2. Of a constant x it is that of y, turned."""
    if build.value(x) is not None and build.value(y) is None:
        return build.transpose(summed_powers(build, y, x, power), [1, 0])
    (n, features), (m, _) = build.shape(x), build.shape(y)
    apart = build.sub(build.reshape(x, (n, 1, features)), y)
    parts = build.square(apart) if power == 2 else build.unary(apart, "abs")
    return build.reshape(build.sum(parts, [2]), (n, m))


def cdist(call: Call) -> int:
    """CDist: distances of all rows of both inputs. At 0 the root is off by what its argument is, under the root."""
    build, shapes = call.build, (call.shape(0), call.shape(1))
    metric = call.attribute("metric", "sqeuclidean")
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise build.error(f"rows of shapes {shapes[0]} and {shapes[1]} have no distances")
    if metric not in ("euclidean", "sqeuclidean"):
        raise call.fail(f"metric {metric!r}", hint="euclidean and sqeuclidean are supported: train with one of these")
    total = summed_powers(build, call.x(0), call.x(1))
    return total if metric == "sqeuclidean" else build.unary(total, "sqrt")


RULES: Mapping[str, Rule] = MappingProxyType({"com.microsoft.CDist": cdist})
