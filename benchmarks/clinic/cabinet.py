"""Where cases come from: this package, or a folder with a clinic in it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks.clinic.networks import Case
from benchmarks.clinic.training import Data


class Clinic(NamedTuple):
    """Cases, ladders of one knob each, how to load a case's data, and which rungs must or must not be named."""

    cases: list[Case]
    ladders: list[dict[str, Any]]
    load: Callable[[Case], Data]
    rungs: dict[str, Any]  # by ladder: {"rungs": [{"label": ..., "right": "must" | "must_not" | "either"}, ...]}


def folder(path: Path) -> Clinic:
    """A folder with ``clinic_core.py`` (its ``load``), ``clinic_*.py`` (``CASES``, ``LADDERS``) and their truth."""
    core = module(path / "clinic_core.py")
    cases: list[Case] = []
    ladders: list[dict[str, Any]] = []
    rungs: dict[str, Any] = {}
    for file in sorted(path.glob("clinic_*.py")):
        if hasattr(found := module(file), "CASES"):
            truth = json.loads(file.with_name(f"{file.stem}_truth.json").read_text())
            cases += [case | {"twin_healthy": truth[case["name"]].get("twin_healthy", True)} for case in found.CASES]
            ladders += found.LADDERS
            rungs |= truth["_ladders"]
    return Clinic(cases, ladders, core.load, rungs)


def own() -> Clinic:
    """The cases of this package."""
    from benchmarks.clinic.data import load
    from benchmarks.clinic.healthy import HEALTHY
    from benchmarks.clinic.ladders import LADDERS
    from benchmarks.clinic.sick import SICK

    return Clinic([*HEALTHY, *SICK], LADDERS, load, {ladder["name"]: {"rungs": ladder["truth"]} for ladder in LADDERS})


def module(path: Path) -> ModuleType:
    """The module in a file, once."""
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None, "a path that ends with .py has a loader"
        assert spec.loader is not None
        sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[path.stem])
    return sys.modules[path.stem]


def changed(case: Case, *changes: dict[str, Any]) -> Case:
    """The case with other settings; ``data`` is changed key by key, everything else replaced."""
    for change in changes:
        case = {**case, **change, "data": {**case["data"], **change.get("data", {})}}
    return case


def twins(cases: list[Case]) -> Iterator[Case]:
    """Each sick case with all of its cures, where it is healthy with them."""
    for case in cases:
        if case["truth"] and case["cures"] and case.get("twin_healthy", True):
            yield {**changed(case, *case["cures"].values()), "name": f"{case['name']}~cured", "truth": []}


def rungs(ladder: dict[str, Any], truth: dict[str, Any]) -> Iterator[Case]:
    """Each rung as a case: what must be named is its truth, and where either is right it is accepted."""
    for number, change in enumerate(ladder["rungs"]):
        case = changed(ladder["base"], change)
        rung = truth[ladder["name"]]["rungs"][number]
        label = [rung["label"]]
        yield {
            **case,
            "name": f"{ladder['name']}#{number}",
            "right": rung["right"],
            "truth": label if rung["right"] == "must" else [],
            "accept": label if rung["right"] == "either" else [],
        }
