"""What the core asks of its surroundings: settings in the environment, room on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MULTIPLY = "from zkchain._core import FrVec; FrVec.full(1, 1 << 13).inverse()"
SETUP = """
from pathlib import Path
from tests.helpers import toy
from zkchain import groth16
from zkchain.groth16.types import System

try:
    groth16.insecure_setup(toy.factors(System.GROTH16), place=Path("small/key.zkpk"))
except OSError as error:
    print(error)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZKCHAIN_KERNEL", "abacus"),
        ("ZKCHAIN_THREADS", "0"),
        ("ZKCHAIN_THREADS", "-1"),
        ("ZKCHAIN_THREADS", "many"),
        ("ZKCHAIN_THREADS", "1000000"),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: str) -> None:
    done = run(MULTIPLY, **{name: value})
    assert done.returncode != 0
    assert f"SettingError: {name}: expected" in done.stderr
    assert repr(value).strip("'") in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("ZKCHAIN_KERNEL", "portable"), ("ZKCHAIN_KERNEL", ""), ("ZKCHAIN_THREADS", "3")]
)
def test_settings_in_range_are_used(name: str, value: str) -> None:
    assert run(MULTIPLY, **{name: value}).returncode == 0


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """The key is written through a mapping, where a missing block would end the process by SIGBUS."""
    (tmp_path / "small").mkdir()
    (tmp_path / "setup.py").write_text(SETUP)
    script = f"mount -t tmpfs -o size=4k none small && exec {sys.executable} setup.py"
    own_mounts = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*own_mounts, "true"], capture_output=True).returncode:
        pytest.skip("no mounts of one's own on this system")
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    command = [*own_mounts, "sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "No space left on device" in done.stdout
