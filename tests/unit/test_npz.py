"""Archives: deterministic, bounded, without pickles."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from zkchain.errors import FormatError
from zkchain.formats import npz


def saved(**arrays: Any) -> bytes:
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def test_reads_what_numpy_writes() -> None:
    got = npz.unpack(saved(x=np.eye(3), y=np.arange(4)), what="test")
    assert got.keys() == {"x", "y"}
    assert np.array_equal(got["x"], np.eye(3))


def test_numpy_reads_what_is_packed() -> None:
    with np.load(BytesIO(npz.pack({"a/b": np.arange(5, dtype=np.uint8)})), allow_pickle=False) as archive:
        assert archive["a/b"].tolist() == [0, 1, 2, 3, 4]


def test_pickles_are_refused() -> None:
    with pytest.raises(FormatError, match="holds Python objects"):
        npz.unpack(saved(x=np.array([{"a": 1}], dtype=object)), what="test")


def test_text_is_refused() -> None:
    with pytest.raises(FormatError, match="dtype"):
        npz.unpack(saved(x=np.array(["a"])), what="test")


def test_what_unpacks_to_too_much_is_refused_before_it_is_read() -> None:
    data = saved(x=np.zeros(1_000_000))
    assert len(data) < 10_000
    with pytest.raises(FormatError, match="unpacks to"):
        npz.unpack(data, what="test", limit=1_000_000)
    assert npz.unpack(data, what="test", limit=9_000_000)["x"].sum() == 0


def test_header_that_promises_more_than_there_is() -> None:
    body = BytesIO()
    np.lib.format.write_array_header_1_0(body, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", body.getvalue())
    with pytest.raises(FormatError, match="truncated"):
        npz.unpack(out.getvalue(), what="test")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a readable"):
        npz.unpack(data, what="test")


def archive(body: bytes, method: int = zipfile.ZIP_DEFLATED, declared: int | None = None) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr("x.npy", body)
    data = out.getvalue()
    if declared is not None:  # the size stands in the member's own header and in the directory
        assert data.count(len(body).to_bytes(4, "little")) >= 2
        data = data.replace(len(body).to_bytes(4, "little"), declared.to_bytes(4, "little"))
    return data


def body_of(array: np.ndarray) -> bytes:
    out = BytesIO()
    np.lib.format.write_array(out, array)
    return out.getvalue()


def test_what_follows_after_an_array_is_refused() -> None:
    assert npz.unpack(archive(body_of(np.arange(3))), what="test")["x"].tolist() == [0, 1, 2]
    with pytest.raises(FormatError, match="bytes follow after array 'x'"):
        npz.unpack(archive(body_of(np.arange(3)) + b"\0"), what="test")


def test_a_size_that_is_not_what_was_declared() -> None:
    body = body_of(np.zeros(5000))
    assert npz.unpack(archive(body, declared=len(body)), what="test")["x"].size == 5000
    for declared in (len(body) - 8, 200):
        with pytest.raises(FormatError, match=r"truncated|not a readable"):
            npz.unpack(archive(body, declared=declared), what="test")


def test_an_altered_number_is_found() -> None:
    data = bytearray(archive(body_of(np.arange(1000)), zipfile.ZIP_STORED))
    data[len(data) // 2] ^= 1
    with pytest.raises(FormatError, match="CRC"):
        npz.unpack(bytes(data), what="test")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_of_packing(method: int) -> None:
    with pytest.raises(FormatError, match="expected deflate"):
        npz.unpack(archive(body_of(np.arange(3)), method), what="test")


def test_shapes_that_no_array_has() -> None:
    for shape in ((-1,), (1 << 70,), (1 << 40, 1 << 40), (True,), (2.0,)):
        body = BytesIO()
        np.lib.format.write_array_header_1_0(body, {"descr": "<f8", "fortran_order": False, "shape": shape})
        with pytest.raises(FormatError, match=r"truncated|not a readable"):
            npz.unpack(archive(body.getvalue() + bytes(64)), what="test")
