"""The bundle's JSON records come back as they went, and malformed ones are refused."""

from __future__ import annotations

import json

import pytest

from zkchain.errors import FormatError
from zkchain.formats import contracts, records
from zkchain.formats.records import Choices, DeploymentRecord, InputChoice, OutputChoice, PublicField, Summary, Tensor
from zkchain.groth16.types import System
from zkchain.oracle import Evaluation
from zkchain.quantize import Accuracy
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
    Evaluation("held-out data", 3, (Accuracy("y", 3, 1e-3, 1e-4, 1.0, 0.5),), 0.9),
)
DEPLOYMENT = DeploymentRecord("rpc", 31337, "0x" + "ab" * 20, "0x" + "cd" * 32, 299_000, 7)


CONTRACT = Artifact(
    "V",
    ({"type": "error", "name": "ProofInvalid", "inputs": []},),
    b"\1\2",
    b"\3",
    "source",
    data=(b"\4", b""),
    immutables=((0, 1),),
)


def test_compiled_contract():
    assert contracts.load(contracts.dump(CONTRACT), "source") == CONTRACT
    with pytest.raises(FormatError, match="compiled contract is malformed"):
        contracts.load(contracts.dump(CONTRACT).replace(b'"0102"', b'"010x"'), "source")


@pytest.mark.parametrize("record", [CHOICES, SUMMARY, DEPLOYMENT])
def test_round_trip(record):
    assert records.load(type(record), records.dump(record), what="record") == record


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.update(version=3), "version"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.pop("rows"), "rows"),
        (lambda d: d.update(rows="many"), "rows"),
        (lambda d: d["fields"][0].update(kind=7), "fields.0.kind"),
        (lambda d: d["inputs"][0].update(scale=None), "inputs.0.scale"),
        (lambda d: d.update(system="plonk"), "system"),
    ],
)
def test_malformed(change, field):
    document = json.loads(records.dump(SUMMARY))
    change(document)
    with pytest.raises(FormatError, match=f"circuit is malformed: {field}"):
        records.load(Summary, json.dumps(document).encode(), what="circuit")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"format": NaN}'])
def test_noise(data):
    with pytest.raises(FormatError, match="malformed"):
        records.load(Choices, data, what="settings")
