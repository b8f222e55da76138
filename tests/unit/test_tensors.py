"""Tensors from users: accepted in a few clear shapes, refused with the name of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.cli_tools import npz_file
from zkchain.errors import InputError
from zkchain.formats import tensors


def json_file(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_json_and_npz_say_the_same(tmp_path: Path) -> None:
    by_json = tensors.read(json_file(tmp_path / "x.json", {"x": [[1.5, 2.0]]}))
    by_npz = tensors.read(npz_file(tmp_path / "x.npz", x=np.array([[1.5, 2.0]])))
    assert by_json.keys() == by_npz.keys() == {"x"}
    assert np.array_equal(by_json["x"], by_npz["x"])


def test_single_input_may_be_nameless(tmp_path: Path) -> None:
    arrays = tensors.read(json_file(tmp_path / "x.json", [[1, 2]]))
    assert tensors.one_sample(arrays, ["x"], [(1, 2)])[0].tolist() == [[1, 2]]
    with pytest.raises(InputError, match="no array for input 'x', 'z'"):
        tensors.one_sample(arrays, ["x", "z"], [(1, 2), (1, 2)])


def test_leading_one_may_be_left_out() -> None:
    assert tensors.one_sample({"x": np.arange(3)}, ["x"], [(1, 3)])[0].shape == (1, 3)
    with pytest.raises(InputError, match=r"input 'x': expected shape \(1, 3\), got \(3, 1\)"):
        tensors.one_sample({"x": np.arange(3).reshape(3, 1)}, ["x"], [(1, 3)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "neither"),
        ("", "neither"),
        ('{"x": [[1], [1, 2]]}', "no tensor"),
        ('{"x": ["abc", 1]}', "expected numbers"),
        ('{"x": null}', "expected numbers"),
        ('{"x": [1e400]}', None),
        ('{"x": [123456789012345678901234567890]}', "expected numbers"),
        ("[" * 100_000, "neither"),
    ],
)
def test_bad_json(tmp_path: Path, text: str, message: str | None) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    if message is None:
        assert np.isinf(tensors.read(path)["x"][0])
        return
    with pytest.raises(InputError, match=message):
        tensors.read(path)


@pytest.mark.parametrize("objects", [[{"a": 1}, 2], list(range(1000))])
def test_objects_are_no_numbers(tmp_path: Path, objects: list[object]) -> None:
    """However few bytes they are pickled into, the file is not truncated."""
    path = npz_file(tmp_path / "x.npz", x=np.array(objects, dtype=object))
    with pytest.raises(InputError, match="'x' holds Python objects, expected booleans, integers or floats"):
        tensors.read(path)


def test_bad_npz(tmp_path: Path) -> None:
    path = npz_file(tmp_path / "x.npz", x=np.arange(9))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="not a readable"):
        tensors.read(path)
    with pytest.raises(InputError, match="cannot read input"):
        tensors.read(tmp_path / "missing.npz")


def test_names_in_a_message_are_bounded() -> None:
    for arrays in ({f"a{i}": np.zeros(1) for i in range(70_000)}, {"a" * 10_000: np.zeros(1)}):
        with pytest.raises(InputError, match=r"no array for input 'x': got .'a") as caught:
            tensors.one_sample(arrays, ["x"], [(1,)])
        assert len(caught.value.message) < 1000
    with pytest.raises(InputError, match=r"got \['a', 'b'\]\n"):
        tensors.one_sample({"b": np.zeros(1), "a": np.zeros(1)}, ["x"], [(1,)])


def test_samples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MOST_SAMPLES", 5)
    assert len(tensors.calibration({"x": np.zeros((5, 2))}, ["x"], [(1, 2)])[0]) == 5
    with pytest.raises(InputError, match="calibration data: 6 samples, expected at most 5"):
        tensors.calibration({"x": np.zeros((6, 2))}, ["x"], [(1, 2)])


def test_pick() -> None:
    arrays = {"x": np.arange(6).reshape(3, 2)}
    assert tensors.pick(arrays, ["x"], [(1, 2)], 1)[0].tolist() == [[2, 3]]
    for index in (-1, 3):
        with pytest.raises(InputError, match="no sample"):
            tensors.pick(arrays, ["x"], [(1, 2)], index)


@pytest.mark.parametrize(
    ("stacked", "shape"),
    [((5, 3), (3,)), ((5, 3), (1, 3)), ((5, 1, 3), (1, 3)), ((5,), ()), ((5,), (1,)), ((5, 2, 3), (2, 3))],
)
def test_what_calibrates_can_be_picked(stacked: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Data of one form give the same samples to compile with and to prove."""
    array = np.arange(np.prod(stacked)).reshape(stacked)
    given, _ = tensors.calibration({"x": array}, ["x"], [shape])
    assert tensors.count({"x": array}, ["x"], [shape]) == len(given) == 5
    for k, sample in enumerate(given.samples):
        (picked,) = tensors.pick({"x": array}, ["x"], [shape], k)
        assert picked.shape == shape
        assert np.array_equal(picked, sample[0])
        assert np.array_equal(picked.ravel(), array[k].ravel())


@pytest.mark.parametrize("shape", [(), (1,), (1, 3), (3,)])
def test_a_single_number_holds_no_samples(shape: tuple[int, ...]) -> None:
    takes: tuple[Callable[..., object], ...] = (
        tensors.count,
        lambda arrays, names, shapes: tensors.pick(arrays, names, shapes, 0),
    )
    for take in takes:
        with pytest.raises(InputError, match=r"expected shape \(N.*, got \(\)"):
            take({"x": np.asarray(3)}, ["x"], [shape])


def test_an_input_may_be_called_labels() -> None:
    given, _ = tensors.calibration({"labels": np.zeros((5, 4))}, ["labels"], [(1, 4)])
    assert len(given) == 5
    assert given.labels is None
    given, _ = tensors.calibration({"labels": np.zeros((5, 4)), "test/labels": np.ones((2, 4))}, ["labels"], [(4,)])
    assert len(given) == 5


def test_calibration_and_held_out() -> None:
    arrays = {
        "x": np.zeros((5, 4)),
        "labels": np.arange(5),
        "test/x": np.ones((2, 1, 4)),
        "other": np.zeros(3),
    }
    given, held_out = tensors.calibration(arrays, ["x"], [(1, 4)])
    assert held_out is not None
    assert (len(given), len(held_out)) == (5, 2)
    assert given.samples[0][0].shape == held_out.samples[0][0].shape == (1, 4)
    assert given.labels is not None
    assert given.labels.tolist() == [0, 1, 2, 3, 4]
    assert held_out.labels is None
    assert tensors.calibration({"x": np.zeros((5, 4))}, ["x"], [(1, 4)])[1] is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.zeros((5, 4))}, "no array for input 'x'"),
        ({"x": np.zeros((5, 3))}, r"expected shape \(N, 4\), got \(5, 3\)"),
        ({"x": np.zeros((0, 4))}, "at least 1"),
        ({"x": np.zeros((5, 4)), "labels": np.zeros(4)}, "same number of samples"),
        ({"x": np.zeros((5, 4)), "test/labels": np.zeros(4)}, "no array for input 'test/x'"),
    ],
)
def test_bad_calibration(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tensors.calibration(arrays, ["x"], [(1, 4)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"x": [1, 2], "x": [3, 4]}', "'x' occurs twice"),
        ('{"x": ["1", 2]}', "holds str, expected numbers"),
        ('{"x": ["1", null]}', "holds str, expected numbers"),
        ('{"x": [[1, 2], [3]]}', "rows of different lengths"),
        ('{"x": [[1, 2], 3]}', "rows of different lengths"),
        ('{"x": [1, 1' + "0" * 400 + "]}", "holds object, expected numbers"),
        ('{"x": [1, 1' + "0" * 5000 + "]}", "neither an .npz archive nor JSON"),
        ('{"x": {"y": 1}}', "holds dict, expected numbers"),
    ],
)
def test_values_that_are_no_numbers(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"x": [1, 2.5, true]}')
    assert tensors.read(path)["x"].tolist() == [1, 2.5, 1]
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        tensors.read(path)


def test_a_long_text_among_numbers_takes_no_memory_for_each(tmp_path: Path) -> None:
    """numpy would make all 100,000 elements as wide as the longest: 400 GB."""
    path = json_file(tmp_path / "x.json", {"x": ["a" * 1_000_000, *([0] * 100_000)]})
    with pytest.raises(InputError, match="holds str, expected numbers"):
        tensors.read(path)


def test_text_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "LONGEST_JSON", 20)
    assert tensors.read(json_file(tmp_path / "x.json", {"x": [1, 2]}))["x"].size == 2
    with pytest.raises(InputError, match="bytes of JSON, expected at most 20"):
        tensors.read(json_file(tmp_path / "x.json", {"x": [1, 2, 3, 4, 5]}))


@pytest.mark.parametrize("label", [np.nan, np.inf, 0.5, 2.0**62, 1e300])
def test_labels_that_are_no_classes(label: float) -> None:
    arrays = {"x": np.zeros((2, 4)), "labels": np.array([1.0, 7.0])}
    labels = tensors.calibration(arrays, ["x"], [(1, 4)])[0].labels
    assert labels is not None
    assert labels.tolist() == [1, 7]
    arrays["labels"][1] = label
    with pytest.raises(InputError, match="label 1: expected an integer"):
        tensors.calibration(arrays, ["x"], [(1, 4)])
