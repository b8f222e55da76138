"""npm's tools for exported projects: a Node that is new enough, and installed packages that several projects share."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

NODE, NPM = "22.22.3", "11.19.1"
"""Taken from npm where the machine's own Node is older than Hardhat wants it."""
LEAST = (22, 13)
MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
TIMEOUT = 600


def environment(folder: Path) -> dict[str, str]:
    """Variables with such a Node first on PATH; it is installed into ``folder`` where there is none."""
    path = os.pathsep.join([*map(str, _programs(folder)), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true", "NO_COLOR": "1"}


@cache
def _programs(folder: Path) -> tuple[Path, ...]:
    """Folders of programs: none where the machine's own Node will do. With a Node comes an npm that runs under it."""
    own = shutil.which("node")
    if own is not None and _version(own) >= LEAST:
        return ()
    node = f"node-{platform.system().lower()}-{MACHINES[platform.machine()]}"
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    command = ["npm", "install", *options, f"{node}@{NODE}", f"npm@{NPM}"]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)
    return folder / "node_modules" / node / "bin", folder / "node_modules" / ".bin"


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said))


def install(project: Path, packages: Path, variables: dict[str, str]) -> None:
    """``npm ci``, once for all projects with the same lock file: later ones get links to its files."""
    kept = packages / json.loads((project / "package.json").read_text())["name"]
    if not kept.exists():
        kept.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(project / name, kept)
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=kept,
            env=variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.copytree(kept / "node_modules", project / "node_modules", copy_function=os.link, symlinks=True)


def run(project: Path, variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=TIMEOUT)
