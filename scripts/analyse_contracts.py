"""Look at all Solidity with slither, solhint and solc's warnings; fail on what docs/spec/static-analysis.md has no
answer to: python scripts/analyse_contracts.py (make analyse).

Looked at are contracts/, the generated verifiers in it among them, and of exported projects what is generated, for both
systems: Types, Key, verifier, tests. The tools are installed into .cache/analysis, at the versions below.

The document's table is the list of answers: a row is a tool and its finding, a place, which may hold *, and what there
is to say. A row that answers nothing is refused as well: it would answer what comes later.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zkchain.solidity import find_solc  # noqa: E402
from zkchain.solidity.compiler import SETTINGS  # noqa: E402

ANSWERS = ROOT / "docs" / "spec" / "static-analysis.md"
PLACE = ROOT / ".cache" / "analysis"
SLITHER, SOLHINT = "0.11.6", "6.2.4"
ROW = re.compile(r"^\| (slither|solhint|solc) `([\w-]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
TIMEOUT = 600
FOR_SLITHER = {
    "*": {"*": ["abi", "metadata", "devdoc", "userdoc", "evm.bytecode", "evm.deployedBytecode"], "": ["ast"]}
}
NATSPEC = {tag: {"enabled": tag != "author"} for tag in ("title", "author", "notice", "param", "return")}
VISIBLE = {"ignoreConstructors": True}
RULES = {
    "extends": "solhint:recommended",
    "rules": {"use-natspec": ["warn", NATSPEC], "func-visibility": ["warn", VISIBLE]},
}


@dataclass(frozen=True, order=True)
class Finding:
    """``check``: the detector's or the rule's name; ``place``: a contract and what is in it, or a file."""

    tool: str
    check: str
    place: str


@dataclass(frozen=True)
class Answer:
    """What there is to say to a check's findings at places that are as one of ``places``."""

    tool: str
    check: str
    places: tuple[str, ...]
    text: str

    def covers(self, finding: Finding) -> bool:
        same = (self.tool, self.check) == (finding.tool, finding.check)
        return same and any(fnmatchcase(finding.place, place) for place in self.places)


def answers(text: str) -> tuple[Answer, ...]:
    """The rows of the document's table."""
    return tuple(
        Answer(tool, check, tuple(re.findall(r"`([^`]+)`", places)), said)
        for tool, check, places, said in ROW.findall(text)
    )


def unanswered(found: Iterable[Finding], known: Iterable[Answer]) -> tuple[list[Finding], list[str]]:
    """Findings without an answer, and answers without a finding: tool, check and the place that nothing matches."""
    findings, given = sorted(set(found)), tuple(known)
    idle = [
        f"{answer.tool} {answer.check} at {place}"
        for answer in given
        for place in answer.places
        if not any(Answer(answer.tool, answer.check, (place,), "").covers(finding) for finding in findings)
    ]
    return [finding for finding in findings if not any(answer.covers(finding) for answer in given)], idle


def sources() -> dict[str, str]:
    """All that is looked at, path -> text."""
    there = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "contracts").rglob("*.sol")}
    return there | dict(_exported())


def _exported() -> Iterator[tuple[str, str]]:
    """Of projects what is generated: the hand-written contracts in them are those of contracts/."""
    import zkchain
    from tests.helpers.cli_tools import GOOD, calibration, small_model

    for system in ("cg16", "groth16"):
        keys = zkchain.compile(small_model(), calibration(), domain=(-4, 4), system=system).setup()
        name = system.title()
        yield from ((f"{system}/src/{path}", text) for path, text in keys.sources(name).items() if "/" not in path)
        with tempfile.TemporaryDirectory() as folder:
            written = keys.verifier.export("foundry", folder, keys.prove(GOOD), name=f"{name}Verifier").files
            kept = [path for path in written if path.endswith(".sol") and not re.search(r"zkchain/|mocks/", path)]
            yield from ((f"{system}/{path}", (Path(folder) / path).read_text()) for path in kept)


def install(place: Path = PLACE) -> tuple[Path, Path]:
    """The Python that has slither, and solhint's program; installed where they are not there in these versions."""
    python, solhint = place / "slither" / "bin" / "python", place / "node_modules" / "solhint"
    if not list(place.glob(f"slither/lib/python*/site-packages/slither_analyzer-{SLITHER}.dist-info")):
        _run(sys.executable, "-m", "venv", "--clear", place / "slither")
        _run(python, "-m", "pip", "install", "--quiet", f"slither-analyzer=={SLITHER}")
    package = solhint / "package.json"
    if not package.is_file() or json.loads(package.read_text())["version"] != SOLHINT:
        (place / "package.json").write_text('{"private": true}\n')
        _run("npm", "install", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts", f"solhint@{SOLHINT}")
    return python, solhint / "solhint.js"


def _run(*command: object, folder: Path = ROOT, codes: tuple[int, ...] = (0,)) -> str:
    """What a program says; its exit code has to be one of these."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def findings(given: Mapping[str, str], python: Path, solhint: Path) -> tuple[Finding, ...]:
    """What the three tools say of these files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in given.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return (*_solc(given), *_slither(given, folder, python), *_solhint(given, folder, solhint))


def _input(given: Mapping[str, str], **settings: Any) -> dict[str, Any]:
    """solc's input for all files."""
    content = {path: {"content": text} for path, text in given.items()}
    remapped = {**SETTINGS, "remappings": ["zkchain/=contracts/"], **settings}
    return {"language": "Solidity", "sources": content, "settings": remapped}


def _solc(given: Mapping[str, str]) -> Iterator[Finding]:
    request = json.dumps(_input(given))
    done = subprocess.run(
        [find_solc(), "--standard-json"], input=request, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    for said in json.loads(done.stdout).get("errors", ()):
        if said["severity"] == "error":
            raise SystemExit(said["formattedMessage"])
        yield Finding("solc", said.get("errorCode", "unknown"), said.get("sourceLocation", {}).get("file", "-"))


def _slither(given: Mapping[str, str], folder: Path, python: Path) -> Iterator[Finding]:
    request = folder / "input.json"
    request.write_text(json.dumps(_input(given, outputSelection=FOR_SLITHER)))
    said = _run(python, ROOT / "scripts" / "slither_findings.py", request, find_solc(), folder=folder)
    yield from (Finding("slither", check, place) for check, place in json.loads(said))


def _solhint(given: Mapping[str, str], folder: Path, solhint: Path) -> Iterator[Finding]:
    (folder / ".solhint.json").write_text(json.dumps(RULES))
    command = ("node", solhint, "--disc", "--noPoster", "--formatter", "json", *sorted(given))
    said = _run(*command, folder=folder, codes=(0, 1))
    for each in json.loads(said[said.index("[") :]):
        if "filePath" in each:
            place = os.path.relpath(each["filePath"], folder) if os.path.isabs(each["filePath"]) else each["filePath"]
            yield Finding("solhint", each["ruleId"], place)


def main() -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    found = findings(sources(), *install())
    known = answers(ANSWERS.read_text()) if ANSWERS.is_file() else ()
    left, idle = unanswered(found, known)
    for finding in left:
        print(f"no answer to {finding.tool} {finding.check} at {finding.place}")
    for row in idle:
        print(f"an answer to nothing: {row}")
    print(f"{len(set(found))} findings, {len(known)} answers, {len(left)} without one, {len(idle)} idle")
    return int(bool(left or idle))


if __name__ == "__main__":
    sys.exit(main())
