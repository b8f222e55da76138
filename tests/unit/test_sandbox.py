"""ONNX's libraries in a child process: what they answer, and that their crash, hang or hunger is an error here."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers.cli_tools import calibration, npz_file, small_model, zkchain
from tests.helpers.onnx_models import model, node
from zkchain import frontend, oracle, sandbox
from zkchain.errors import ModelError, ProcessRefused, SettingError
from zkchain.quantize import Domain, quantize
from zkchain.sandbox import wire

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No test finds, or leaves, a child that it did something to."""
    sandbox.stop()
    yield
    sandbox.stop()


def check(op: str = "Relu") -> None:
    """A good model's way through the child."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)) for name in "xy"]
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "graph", value[:1], value[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=8)
    sandbox.call("the ONNX checker", "check", (proto.SerializeToString(),))


def child() -> int:
    sandbox.start()
    assert sandbox._child is not None
    return sandbox._child.process.pid


def test_what_a_library_refuses_is_told_and_the_child_lives_on() -> None:
    before = child()
    with pytest.raises(sandbox.Refused, match="Nonsense"):
        check("Nonsense")
    check()
    assert child() == before


def signalled(number: signal.Signals, doing: Callable[[], object]) -> None:
    """Send a signal to the child while it is at work."""
    pid = child()
    check()  # it has started
    os.kill(pid, signal.SIGSTOP)  # whatever it is asked, it is at it for ever

    def send() -> None:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)

    later = threading.Timer(0.3, send)
    later.start()
    try:
        doing()
    finally:
        later.join()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGSEGV, r"crashed on this model \(SIGSEGV\)"),
        (signal.SIGKILL, "killed while it read this model"),
    ],
)
def test_a_crash_is_a_model_error_and_the_next_model_is_read(number: signal.Signals, said: str) -> None:
    before = child()
    with pytest.raises(ModelError, match=f"the ONNX checker (was )?{said}") as caught:
        signalled(number, check)
    assert caught.value.hint
    check()
    assert child() != before


def test_a_hang_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = child()
    check()
    monkeypatch.setenv(sandbox.SECONDS, "0.5")
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"did not come to an end with this model within 0\.5 s") as caught:
        check()
    assert 0.4 < time.monotonic() - start < 5
    assert sandbox.SECONDS in str(caught.value.hint)
    monkeypatch.delenv(sandbox.SECONDS)
    check()


def constant_of(size: int) -> onnx.ModelProto:
    """A constant of so many zeros, 4 bytes each, that adds nothing to x but its own memory."""
    shape = helper.make_tensor("n", TensorProto.INT64, [1], [size])
    nodes = [
        node("Constant", [], ["n"], value=shape),
        node("ConstantOfShape", ["n"], ["zeros"], value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])),
        node("ReduceSum", ["zeros"], ["sum"]),
        node("Add", ["x", "sum"], ["y"]),
    ]
    return model(nodes, {"x": (1, 2)})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sandbox.MEMORY, "512M")
    proto = constant_of(1 << 20)
    frontend.load(proto)
    with pytest.raises(ModelError, match="ran out of memory with this model") as caught:
        frontend.load(constant_of(1 << 29))  # 2 GiB
    assert sandbox.MEMORY in str(caught.value.hint)
    with pytest.raises(ModelError, match="too large"):
        frontend.load(constant_of((1 << 26) + 1))  # fits, and is more than any circuit holds


def test_a_new_bound_on_memory_is_one_for_a_new_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sandbox.MEMORY, "512M")
    before = child()
    assert child() == before
    monkeypatch.setenv(sandbox.MEMORY, "1G")
    assert child() != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((sandbox.SECONDS, value) for value in ("", "0", "-1", "nan", "1e3", "ten", "9999999")),
        *((sandbox.MEMORY, value) for value in ("", "0", "1M", "-1G", "16GB", "16 G", "1e9", "99999999999G")),
    ],
)
def test_a_setting_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name):
        check()


@pytest.mark.parametrize(("seconds", "memory", "bytes_"), [("0.5", "1G", 1 << 30), ("10", "268435456", 1 << 28)])
def test_settings(monkeypatch: pytest.MonkeyPatch, seconds: str, memory: str, bytes_: int) -> None:
    monkeypatch.setenv(sandbox.SECONDS, seconds)
    monkeypatch.setenv(sandbox.MEMORY, memory)
    assert sandbox.Limits.of_environment() == sandbox.Limits(float(seconds), bytes_)


@contextmanager
def without(streams: Sequence[int]) -> Iterator[None]:
    """This process as a daemon starts it, with standard streams closed."""
    kept = {number: os.dup(number) for number in streams}
    try:
        for number in streams:
            os.close(number)
        yield
    finally:
        sandbox.stop()  # its pipes may have the streams' numbers
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


@pytest.mark.parametrize("streams", [(0,), (0, 1, 2)], ids=str)
def test_no_standard_streams(streams: tuple[int, ...]) -> None:
    with without(streams):
        check()
        assert sandbox._child is not None
        lifeline = sandbox._child.lifeline
    assert lifeline > 2


LIMITED = """
import resource, sys
from zkchain import sandbox
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
print(sandbox.Limits.of_environment().memory)
try:
    sandbox.call("onnx", "check", (b"",))
except sandbox.Refused as error:
    print(error)
"""


def test_a_limit_of_the_system() -> None:
    """None can raise it: the child takes what there is, and reads the model."""
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=ROOT, check=True)
    memory, said = done.stdout.splitlines()[:2]
    assert int(memory) == 1 << 30
    assert said


def test_memory_that_the_system_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = (resource.RLIM_INFINITY, 300 << 20)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: hard)
    assert sandbox.Limits.of_environment().memory == 300 << 20
    assert "ulimit -Hd" in sandbox._more_memory(300 << 20)
    assert sandbox.MEMORY in sandbox._more_memory(299 << 20)


@pytest.mark.parametrize(
    ("program", "why"), [("/bin/false", r"ended at once \(exit code 1\)"), ("/none", "No such file")]
)
def test_a_child_that_cannot_start(monkeypatch: pytest.MonkeyPatch, program: str, why: str) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(ProcessRefused, match=f"cannot start the process .*: .*{why}") as caught:
        check()
    assert caught.value.hint
    monkeypatch.undo()
    check()


def test_no_more_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", refused)
    with pytest.raises(ProcessRefused, match="Too many open files"):
        check()


def split(first: str) -> bytes:
    """The second half of x; what the first half is called nobody reads."""
    nodes = [node("Split", ["x"], [first, "b"], axis=1, num_outputs=2), node("Relu", ["b"], ["y"])]
    return bytes(model(nodes, {"x": (1, 4)}, opset=18).SerializeToString())


def test_a_model_that_takes_onnxruntime_down(tmp_path: Path) -> None:
    """onnxruntime 1.32 runs into a segmentation fault over an output without a name."""
    data, good, bad = tmp_path / "data.npz", tmp_path / "good.onnx", tmp_path / "bad.onnx"
    npz_file(data, x=np.linspace(-2, 2, 40, dtype=np.float32).reshape(10, 4))
    good.write_bytes(split("a"))
    bad.write_bytes(split(""))
    assert zkchain("compile", good, "--data", data, "-o", tmp_path / "good").code == 0
    refused = zkchain("compile", bad, "--data", data, "-o", tmp_path / "bad")
    if refused.code:  # a later version may run it
        assert refused.code == ModelError.exit_code
        assert refused.err.startswith("error: onnxruntime crashed on this model (SIGSEGV)\nhint: ")
        assert not (tmp_path / "bad").exists()
    graph = frontend.load(bad.read_bytes())
    assert [graph.nodes[i].shape for i in graph.outputs] == [(1, 2)]


def test_sessions_outlive_each_other_and_the_child() -> None:
    data = [(row[None],) for row in calibration()["x"][:4]]
    models = [small_model(seed) for seed in range(4)]
    program = quantize(frontend.load(models[0]), [Domain(-2, 2)], data)
    judges = [oracle.FloatModel(each, program) for each in models]
    first = [judge(data[0])[0] for judge in judges]
    again = [judge(data[0])[0] for judge in judges]
    sandbox.stop()
    after = [judge(data[0])[0] for judge in judges]
    assert np.array_equal(first, again)
    assert np.array_equal(first, after)
    assert len({result.tobytes() for result in first}) == 4


PARENT = """
import os, sys, time
from zkchain import sandbox
sandbox.start()
print(sandbox._child.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("stopped", [False, True], ids=["idle", "at work"])
def test_the_child_ends_with_its_parent(stopped: bool) -> None:
    """Killed, a parent closes nothing itself; the child may be at work, and never look at a pipe."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.5)
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    if stopped:
        os.kill(pid, signal.SIGCONT)
    assert gone(pid)


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def test_an_interrupt_ends_the_child_and_is_raised(interruptible: None) -> None:
    pid = child()
    check()
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        check()
    assert gone(pid)
    check()


def test_a_forked_process_gets_a_child_of_its_own() -> None:
    before = child()
    pid = os.fork()
    if pid == 0:
        try:
            fine = child() != before
            check()
            sandbox.stop()
        finally:
            os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0
    check()
    assert child() == before


def test_the_child_sees_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", "0x" + "17" * 32)
    check()
    variables = Path(f"/proc/{child()}/environ").read_bytes().split(b"\0")
    assert any(variable.startswith(b"PYTHONPATH=") for variable in variables)
    assert not any(b"1717" in variable for variable in variables)


# ---------------------------------------------------------------------------------------------------------- messages

PARTS: list[bytes | np.ndarray] = [
    b"",
    b"bytes",
    np.array(1.5, np.float32),
    np.zeros((0, 3), np.int64),
    np.arange(6, dtype=np.uint8).reshape(2, 3).T,
    np.array([True, False]),
    np.array(["text", ""], dtype=object),
]


def sent(*parts: Any, **head: Any) -> BytesIO:
    file = BytesIO()
    wire.write(file, head, parts)
    return BytesIO(file.getvalue())


def test_messages_arrive() -> None:
    head, parts = wire.read(sent(*PARTS, job="x", number=1))
    assert head == {"job": "x", "number": 1}
    for sent_part, got in zip(PARTS, parts, strict=True):
        if isinstance(sent_part, bytes):
            assert bytes(got) == sent_part
        else:
            assert isinstance(got, np.ndarray)
            assert got.shape == sent_part.shape
            assert got.tolist() == sent_part.tolist()
            assert sent_part.dtype.kind == "O" or (got.dtype == sent_part.dtype and got.flags.writeable)


def altered(kind: object) -> BytesIO:
    text = b'{"parts": [%s]}' % str(kind).encode()
    return BytesIO(wire.LENGTH.pack(len(text)) + text + wire.LENGTH.pack(8) + bytes(8))


@pytest.mark.parametrize(
    "kind",
    ['["<f8", [2]]', '["<f8", [1099511627776]]', '["O", [1]]', '["nonsense", [8]]', '["|u1", -8]', '"tensor"', "7"],
)
def test_what_is_no_message_is_refused(kind: str) -> None:
    assert wire.read(altered('["<f8", [1]]'))[1][0].tolist() == [0.0]
    if kind == '"tensor"':
        text = b'{"parts": ["tensor"]}'
        broken = BytesIO(wire.LENGTH.pack(len(text)) + text + wire.LENGTH.pack(4) + b"\xff" * 4)
    else:
        broken = altered(kind)
    with pytest.raises(ValueError, match="no message"):
        wire.read(broken)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, wire.LENGTH.pack(2) + b"{", sent(b"abc").getvalue()[:-1]])
def test_an_end_within_a_message_is_an_end(data: bytes) -> None:
    with pytest.raises(EOFError):
        wire.read(BytesIO(data))


def test_an_absurd_length_is_no_message() -> None:
    with pytest.raises(ValueError, match="announced"):
        wire.read(BytesIO(wire.LENGTH.pack(1 << 60)))
