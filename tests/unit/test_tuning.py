"""``tune``: the ladder of wanted errors, what is within a budget, and the command that makes the chosen circuit."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import zkchain
from tests.helpers.cli_tools import calibration, npz_file, small_model
from tests.helpers.cli_tools import zkchain as command
from tests.helpers.onnx_models import model, node
from zkchain import errors
from zkchain.cli.options import compile_command
from zkchain.errors import ArgumentError, InputError, UnsupportedOp
from zkchain.r1cs import System
from zkchain.tuning import Budget, Trial, Tuning, search

DATA = calibration()


@pytest.fixture(scope="module")
def tuned() -> Iterator[Tuning]:
    """Of a shorter ladder than usual."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("COARSER", (4.0,)), ("FINER", (1 / 4, 1 / 16)), ("HALVINGS", 1)):
            patch.setattr(search, name, value)
        yield zkchain.tune(small_model(), DATA, domain=(-4, 4), system="groth16", max_error=0.05)


def test_the_chosen_one_costs_the_least_of_what_is_accurate_enough(tuned: Tuning) -> None:
    within = [t for t in tuned.trials if (t.max_error or 9.0) <= 0.05 and (t.agreement or 0.0) >= 0.99]
    assert tuned.chosen is not None
    assert tuned.chosen.within
    assert tuned.chosen.constraints == min(trial.constraints or 0 for trial in within)
    beyond = [trial for trial in tuned.trials if not trial.within]
    assert beyond, "the ladder goes on until errors are too large"
    assert all((trial.max_error or 0.0) > 0.05 or (trial.agreement or 0.0) < 0.99 for trial in beyond)
    assert min(trial.constraints or 0 for trial in beyond) < tuned.chosen.constraints


def test_its_settings_make_the_same_circuit(tuned: Tuning) -> None:
    assert tuned.chosen is not None
    again = zkchain.compile(small_model(), DATA, domain=(-4, 4), **tuned.settings)  # type: ignore[arg-type]
    assert again.constraints == tuned.chosen.constraints
    assert again.promise is not None
    assert max(out.max_error for out in again.promise.outputs if out.limit is not None) <= 0.05


def test_records_show_themselves_in_a_line(tuned: Tuning) -> None:
    for thing in (tuned, tuned.budget, *tuned.trials):
        assert len(repr(thing)) <= 120
        assert "\n" not in repr(thing)
    table = str(tuned).splitlines()
    assert len(table) == len(tuned.trials) + 2
    assert sum("chosen" in line for line in table[:-1]) == 1


def test_the_plot_has_a_dot_for_every_trial(tuned: Tuning) -> None:
    root = ElementTree.fromstring(tuned.svg("a < b"))
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(tuned.trials) + 1, "one more around the chosen one"
    front = sum(circle.get("fill") not in ("white", "none") for circle in circles)
    assert front == sum(trial.front for trial in tuned.trials)


def test_what_others_beat_is_off_the_front() -> None:
    def trial(constraints: int, error: float) -> Trial:
        return Trial(System.CG16, error, constraints=constraints, max_error=error)

    found = search._marked([trial(10, 1.0), trial(20, 0.5), trial(25, 0.7), Trial(System.CG16, 9.0, refused="no room")])
    assert {t.constraints: t.front for t in found} == {10: True, 20: True, 25: False, None: False}


def test_labels_alone_are_tuned_by_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BITS", (7, 3))
    options = {"domain": (-4, 4), "outputs": "label", "system": "groth16"}
    labels = zkchain.tune(small_model(), DATA, agreement=0.9, **options)  # type: ignore[arg-type]
    assert labels.chosen is not None
    assert labels.chosen.bits is not None
    assert {trial.max_error for trial in labels.trials} == {None}
    assert all(trial.within == ((trial.agreement or 0) >= 0.9) for trial in labels.trials if trial.refused is None)
    assert isinstance(labels.settings["settings"], zkchain.Settings)
    default = next(trial for trial in labels.trials if trial.bits is None)
    assert (labels.chosen.constraints or 0) < (default.constraints or 0)


def test_a_refused_trial_does_not_end_the_search() -> None:
    found = zkchain.tune(small_model(last="Sigmoid"), DATA, domain=(-4, 4), errors=[])
    refused = [trial for trial in found.trials if trial.refused is not None]
    assert [(trial.system, trial.constraints) for trial in refused] == [(System.GROTH16, None)]
    assert found.chosen is not None
    assert found.chosen.system is System.CG16
    assert "refused: node 'out'" in str(found)
    with pytest.raises(UnsupportedOp, match="Sigmoid"):
        zkchain.tune(small_model(last="Sigmoid"), DATA, domain=(-4, 4), system="groth16")


def test_where_nothing_is_accurate_enough() -> None:
    found = Tuning(Budget(1e-9), (Trial(System.CG16, 0.1, constraints=9, gas=1),), *search._chosen(Budget(1e-9), [[]]))
    assert found.chosen is None
    assert found.settings == {}
    assert "no trial is within the budget" in found.reason


def test_agreement_without_labels_or_data_is_refused() -> None:
    number = bytes(model([node("ReduceSum", ["x"], ["y"], keepdims=0)], {"x": [1, 4]}).SerializeToString())
    with pytest.raises(InputError, match="no label"):
        zkchain.tune(number, DATA, agreement=0.9, errors=[0.1], system="groth16")
    with pytest.raises(InputError, match="none was given"):
        zkchain.tune(small_model(), domain=(-4, 4), agreement=0.9)
    for wrong in ({"agreement": 2.0}, {"errors": [0.0]}, {"errors": 0.1}, {"max_error": "1"}, {"bits": "8"}):
        with pytest.raises(ArgumentError):
            zkchain.tune(small_model(), DATA, **wrong)


def test_an_accepted_error_is_said_in_the_options() -> None:
    trial = Trial(System.CG16, 0.5, constraints=9, gas=1, within=True, kept=False)
    held = Tuning(Budget(1.0), (trial,), trial, "why")
    assert held.settings == {"system": "cg16", "max_error": 0.5, "accept_error": True}
    said = compile_command(Path("m.onnx"), {"--batch": ["2"], "--domain": None}, trial)
    assert said == "zkchain compile m.onnx --batch 2 --system cg16 --max-error 0.5 --accept-error -o bundle"
    few = replace(trial, kept=True, bits=6, wanted=None)
    assert replace(held, chosen=few).settings["settings"] == zkchain.Settings(weight_bits=6, activation_bits=6)
    said = compile_command(Path("m.onnx"), {}, few)
    assert said == "zkchain compile m.onnx --system cg16 --weight-bits 6 --activation-bits 6 -o bundle"


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(small_model())
    npz_file(tmp_path / "d.npz", **DATA)
    told = ["tune", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "--domain", "-4:4", "--max-error", "0.1"]
    told += ["--system", "groth16", "--error", "0.2"]
    shown = command(*told, "--plot", tmp_path / "p.svg", "--json")
    assert shown.code == 0
    assert ElementTree.parse(tmp_path / "p.svg").getroot().tag.endswith("svg")
    assert len(shown.json["trials"]) == 2
    words = shlex.split(shown.json["command"])
    assert words[:2] == ["zkchain", "compile"]
    made = command(*words[1:-1], tmp_path / "b", "--json")
    assert made.code == 0
    assert made.json["circuit"]["rows"] == shown.json["chosen"]["constraints"]
    refused = command(*told[:-5], "1e-9", "--error", "1e-3", "--system", "groth16")
    assert refused.code == errors.AccuracyMissed.exit_code
    assert "over the budget" in refused.out
    assert "hint: allow more" in refused.err
