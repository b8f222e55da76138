"""Run slither's detectors over a standard JSON input: python scripts/slither_findings.py INPUT.json SOLC.

Findings go to stdout as JSON, [check, place], each once; a place is a contract's name and what is in it.

Run by the Python of the environment that holds slither (scripts/analyse_contracts.py makes it), in the folder of the
sources.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main(given: str, solc: str) -> None:
    from crytic_compile import CryticCompile
    from crytic_compile.platform.solc_standard_json import SolcStandardJson
    from slither import Slither
    from slither.detectors import all_detectors
    from slither.detectors.abstract_detector import AbstractDetector

    standard = SolcStandardJson(json.loads(Path(given).read_text()))
    analysed = Slither(CryticCompile(standard, solc=solc))
    for detector in vars(all_detectors).values():
        if inspect.isclass(detector) and issubclass(detector, AbstractDetector) and detector is not AbstractDetector:
            analysed.register_detector(detector)
    found = {(each["check"], place(each)) for many in analysed.run_detectors() for each in many}
    json.dump(sorted(found), sys.stdout)


def place(finding: Mapping[str, Any]) -> str:
    """Contract, function and the like of the first element that a finding is about."""
    if not finding["elements"]:
        return "-"
    names, element = [], finding["elements"][0]
    while element:
        if element["type"] not in ("node", "pragma"):
            names.append(element["name"])
        element = element.get("type_specific_fields", {}).get("parent")
    return ".".join(reversed(names)) or "-"


if __name__ == "__main__":
    main(*sys.argv[1:])
