"""The bundle's JSON records come back as they went, and malformed ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from zkchain.errors import BundleError, FormatError
from zkchain.formats import contracts, records
from zkchain.formats.records import (
    Choices,
    ContextRecord,
    ContractRecord,
    DeploymentRecord,
    DeploymentsRecord,
    InputChoice,
    OutputChoice,
    PublicField,
    Summary,
    Tensor,
)
from zkchain.measured import Accuracy, Clamped, Evaluation, LayerError, Promise, Promised, Unpromised
from zkchain.r1cs import System
from zkchain.solidity import Artifact

CHOICES = Choices(
    System.GROTH16,
    1,
    (InputChoice("x", False, 0.0, (16.0, 15.0), 1.0, True),),
    (OutputChoice("y", True),),
    {"max_error": 0.01, "weight_bits": None, "cost": "plain"},
)
SUMMARY = Summary(
    "ab" * 32,
    "cd" * 32,
    System.CG16,
    *(100, 120, 90, 2),
    (PublicField("output", "y", (1, 10), 12, 2048, 1 / 3),),
    (Tensor("x", (1, 2), False, (0, -1), 16, 1.0),),
    (Tensor("y", (1, 10), True, -5, 5, 1 / 3),),
    {"fc": 60, "relu": 40},
    Evaluation("held-out data", 3, (Accuracy("y", 3, 1e-3, 1e-4, 1.0, 0.5, 0.1),), 0.9, 0.8),
    Promise(
        *(400, 3, 2),
        (Promised("y", 0.01, 1e-3, 2e-3, "corner", 1.0, 0.02, 1e-4, 0.1, 0.9, 0.8, 3),),
        (Unpromised("div", "reciprocal", -0.5, 0.5, 2.0, "any", 7, 1e3),),
        (Clamped("relu", (-1.0, 1.0), (-2.0, 2.0)),),
    ),
    (LayerError("fc", "linear", 10, 1e-3, 1e-4, 0.1, 0.05, 60),),
)
DEPLOYMENT = DeploymentsRecord(
    (
        DeploymentRecord(
            *("rpc", 31337, "0x" + "ab" * 20, "0x" + "cd" * 32, 299_000, 7, "0x" + "ef" * 32),
            salt=0,
        ),
    )
)


def test_a_member_that_occurs_twice() -> None:
    """Of two readers one would take the first value and the other the last."""
    text = records.dump(CHOICES)
    assert records.load(Choices, text, what="settings") == CHOICES
    with pytest.raises(BundleError, match="settings is malformed: the member 'batch' occurs twice"):
        records.load(Choices, text.replace(b'"batch"', b'"batch": 5, "batch"', 1), what="settings")


CONTRACT = Artifact(
    "V",
    ({"type": "error", "name": "ProofInvalid", "inputs": []},),
    b"\1\2",
    b"\3",
    "source",
    data=(b"\4", b""),
    immutables=((0, 1),),
)


def test_compiled_contract() -> None:
    assert contracts.load(contracts.dump(CONTRACT), "source") == CONTRACT
    with pytest.raises(FormatError, match="compiled contract is malformed"):
        contracts.load(contracts.dump(CONTRACT).replace(b'"0102"', b'"010x"'), "source")


CONTEXT = ContextRecord(31337, "0x" + "ab" * 20, "0x" + "00" * 32)
RECORDS = (CHOICES, SUMMARY, DEPLOYMENT, CONTEXT, ContractRecord("V", (), "01", "03", (), "solc", ((0, 1),)))


@pytest.mark.parametrize("record", RECORDS)
def test_round_trip(record: object) -> None:
    assert records.load(type(record), records.dump(record), what="record") == record


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.update(version=3), "version"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.pop("rows"), "rows"),
        (lambda d: d.update(rows="many"), "rows"),
        (lambda d: d["fields"][0].update(kind=7), r"fields\[0\].kind"),
        (lambda d: d["inputs"][0].update(scale=None), r"inputs\[0\].scale"),
        (lambda d: d.update(system="plonk"), "system"),
    ],
)
def test_malformed(change: Callable[[dict[str, Any]], object], field: str) -> None:
    document = json.loads(records.dump(SUMMARY))
    change(document)
    with pytest.raises(FormatError, match=f"circuit is malformed: {field}"):
        records.load(Summary, json.dumps(document).encode(), what="circuit")


REAL, SHARE, COUNT, BIG = (-1e121, 1e121), (-0.1, 1.1, 1e308), (-1, 1 << 29), (-1, 1 << 63)
SCALE = (0, 0.0, -1.0, 1e-308, 1e308, 1e101, 1e-101)
WHOLE = (-(1 << 62) - 1, (1 << 62) + 1, 10**30)
LONG = ([1] * 65, [1] * 101)
BEYOND_FLOAT = 10**400
OUT_OF_BOUNDS: Mapping[type, Mapping[str, Sequence[object]]] = {
    Choices: {
        "inputs.0.lo": (*REAL, [0.0, 1e121]),
        "inputs.0.hi.0": REAL,
        "inputs.0.hi.1": REAL,
        "inputs.0.scale": SCALE,
        "batch": (0, *COUNT),
        "quantisation.max_error": (*REAL, 10**200),
    },
    Summary: {
        "rows": COUNT,
        "wires": COUNT,
        "committed": COUNT,
        "instance_length": COUNT,
        "fields.0.shape": LONG,
        "fields.0.shape.0": (*COUNT, 1 << 60),
        "fields.0.shape.1": (*COUNT, 1 << 60),
        "fields.0.bits": (-1, 65, 10**13),
        "fields.0.offset": (-1, 1 << 64),
        "fields.0.scale": SCALE,
        "fields.0.kind": ("hidden", ""),
        "inputs.0.shape": LONG,
        "inputs.0.shape.0": (*COUNT, 1 << 60),
        "inputs.0.shape.1": (*COUNT, 1 << 60),
        "inputs.0.lo.0": WHOLE,
        "inputs.0.lo.1": WHOLE,
        "inputs.0.hi": (*WHOLE, [0, 1 << 63]),
        "inputs.0.scale": SCALE,
        "outputs.0.shape": LONG,
        "outputs.0.shape.0": (*COUNT, 1 << 60),
        "outputs.0.shape.1": (*COUNT, 1 << 60),
        "outputs.0.lo": WHOLE,
        "outputs.0.hi": WHOLE,
        "outputs.0.scale": SCALE,
        "rows_by_node.fc": COUNT,
        "rows_by_node.relu": COUNT,
        "evaluation.samples": (-1, 1 << 63),
        "evaluation.outside": (-1, 1 << 63),
        "evaluation.correct": SHARE,
        "evaluation.float_correct": SHARE,
        "evaluation.outputs.0.samples": (-1, 1 << 63),
        "evaluation.outputs.0.max_error": (-1.0, 1e121),
        "evaluation.outputs.0.mean_error": (-1.0, 1e121),
        "evaluation.outputs.0.top1": SHARE,
        "evaluation.outputs.0.equal": SHARE,
        "evaluation.outputs.0.relative": (-1.0, 1e121),
        "promise.points": (-1, 1 << 63),
        "promise.undefined": (-1, 1 << 63),
        "promise.clamped": (-1, 1 << 63),
        "promise.outputs.0.limit": (0.0, -1.0, 1e121),
        "promise.outputs.0.max_error": (-1.0, 1e121),
        "promise.outputs.0.against_onnxruntime": (-1.0, 1e121),
        "promise.outputs.0.equal": SHARE,
        "promise.outputs.0.data_limit": (0.0, -1.0, 1e121),
        "promise.outputs.0.data_error": (-1.0, 1e121),
        "promise.outputs.0.relative": (-1.0, 1e121),
        "promise.outputs.0.top1": SHARE,
        "promise.outputs.0.agreement": SHARE,
        "promise.outputs.0.samples": (-1, 1 << 63),
        "layers.0.elements": (-1, 1 << 63),
        "layers.0.max_error": (-1.0, 1e121),
        "layers.0.mean_error": (-1.0, 1e121),
        "layers.0.relative": (-1.0, 1e121),
        "layers.0.own": (-1.0, 1e121),
        "layers.0.constraints": (-1, 1 << 63),
        "promise.regions.0.low": REAL,
        "promise.regions.0.high": REAL,
        "promise.regions.0.period": (0.0, -1.0, 1e121),
        "promise.regions.0.points": (-1, 1 << 63),
        "promise.regions.0.max_error": (-1.0, 1e121),
        "promise.clamps.0.kept.0": REAL,
        "promise.clamps.0.kept.1": REAL,
        "promise.clamps.0.reach.0": REAL,
        "promise.clamps.0.reach.1": REAL,
    },
    DeploymentsRecord: {f"deployments.0.{name}": BIG for name in ("chain_id", "gas", "block", "salt")},
    ContextRecord: {"chain_id": BIG},
    ContractRecord: {"immutables.0.0": (-1, 1 << 21), "immutables.0.1": (-1, 1 << 21)},
}
"""What no number of a record may be, by its place."""


def leaves(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], int | float]]:
    """Every number of a document with its place; truth values are none."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def with_value(document: object, path: str, value: object) -> bytes:
    changed = json.loads(json.dumps(document))
    *above, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = changed
    for part in above:
        place = place[part]
    place[last] = value
    return json.dumps(changed).encode()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_number_has_its_bounds(record: object) -> None:
    document, refused = json.loads(records.dump(record)), OUT_OF_BOUNDS[type(record)]
    assert {".".join(map(str, path)) for path, _ in leaves(document)} <= {*refused, "version"}
    for place, values in refused.items():
        for value in (*values, BEYOND_FLOAT):
            with pytest.raises(BundleError, match="record is malformed"):
                records.load(type(record), with_value(document, place, value), what="record")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"format": NaN}'])
def test_noise(data: bytes) -> None:
    with pytest.raises(FormatError, match="malformed"):
        records.load(Choices, data, what="settings")
