"""contracts/generated is what the templates make of the fixed keys, and it compiles."""

from pathlib import Path

import pytest

from scripts.regenerate_contracts import DIRECTORY, generated, main
from tests.helpers.evm import compiled

FILES = generated()


def test_the_files_are_those_of_the_script() -> None:
    assert {file.name for file in DIRECTORY.glob("*")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_they_are_up_to_date(name: str) -> None:
    assert (DIRECTORY / name).read_text() == FILES[name], (
        "run scripts/regenerate_contracts.py and look at the difference"
    )


@pytest.mark.parametrize("name", FILES)
def test_they_compile_without_a_warning(name: str) -> None:
    (artifact,) = compiled({name: FILES[name]}).values()
    assert artifact.warnings == ()
    assert artifact.name == f"{Path(name).stem}_DEVELOPMENT_KEY"


def test_check_notices_a_stale_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.regenerate_contracts.DIRECTORY", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    file = tmp_path / next(iter(FILES))
    file.write_text(file.read_text().replace("R = 2188", "R = 2189"))
    (tmp_path / "Old.sol").write_text("")
    assert main(["--check"]) == 1
    assert f"stale: {file.name}\nstale: Old.sol" in capsys.readouterr().out
