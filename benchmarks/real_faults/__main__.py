"""Runs the programs and shows what the doctor said of each, beside what other tools said.

python -m benchmarks.real_faults                    # --posts 48385830 ... for some, --findings for all in words
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from typing import Any

import thalweg
from benchmarks.real_faults.programs import FAULTS, Fault
from benchmarks.table import markdown
from thalweg.errors import ThalwegError

KINDS = {
    "wrong_loss": ("act", "loss"),
    "vanishing_gradients": ("act", "init"),
    "saturated_activations": ("act", "init", "prep"),
    "dying_relu": ("act", "init"),
    "exploding_gradients": ("init", "layers"),
    "bad_init": ("init",),
    "lr_too_high": ("lr", "opt"),
    "lr_too_low": ("lr", "opt"),
    "plateau": ("opt", "act"),
    "undertrained": ("epoch",),
    "batch_too_small": ("batch",),
    "batch_too_large": ("batch", "epoch"),
    "unscaled_inputs": ("prep",),
    "unscaled_targets": ("prep",),
    "nan_inf": ("prep",),
    "underfitting": ("act", "layers"),
    "overfitting": ("layers", "data"),
    "model_too_complex": ("layers",),
    "noisy_labels": ("data",),
    "class_imbalance": ("data",),
    "data_leakage": ("data",),
}
"""What each label says is to be changed, in the table's words."""

DETECTED = {"UMLAUT": 50, "AutoTrainer": 12, "DeepLocalize": 36, "DeepFD": 47, "DEFault": 48}
DIAGNOSED = {"UMLAUT": 14, "AutoTrainer": 10, "DeepLocalize": 7, "DeepFD": 27, "DEFault": 33}
"""Of all 52; counted in the tables of the papers' authors."""


@dataclass(frozen=True)
class Answer:
    """What was said of a program: the labels of diagnosed findings, and what ended it."""

    fault: Fault
    labels: tuple[str, ...]
    findings: tuple[str, ...]
    error: str
    seconds: float

    @property
    def detected(self) -> bool:
        """Whether the doctor says that something is wrong, or rightly that nothing is."""
        return bool(self.labels) == bool(self.fault.kinds)

    @property
    def diagnosed(self) -> bool:
        """Whether it names one of the things that are wrong."""
        if not self.fault.kinds:
            return not self.labels
        return any({*KINDS[label]} & {*self.fault.kinds} for label in self.labels)


def main() -> None:
    """Run, print a line for each, and the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_faults", description=__doc__)
    parser.add_argument("--posts", nargs="+", metavar="POST")
    parser.add_argument("--findings", action="store_true", help="each finding in words")
    given = parser.parse_args()
    answers = [answer(fault) for fault in FAULTS if not given.posts or fault.post in given.posts]
    if given.findings:
        for told in answers:
            print(told.fault.post, *told.findings, sep="\n    ")
    print(table(answers))
    print(counts(answers))


def answer(fault: Fault, seed: int = 0) -> Answer:
    """Run a program with the doctor as it is by default."""
    thalweg.utils.set_random_seed(seed)
    began, error, model = time.perf_counter(), "", None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, arguments = fault.program()
            diagnosis: Any = model.fit(**arguments, seed=seed, verbose=0).diagnosis
        except ThalwegError as stopped:
            error = stopped.problem
            diagnosis = stopped.diagnosis or (model.diagnosis if model is not None else None)
    found = [] if diagnosis is None else [f for root in diagnosis for f in (root, *root.consequences)]
    labels = tuple(dict.fromkeys(f.code for f in found if f.certainty == "diagnosed"))
    words = tuple(f"{f.certainty} {f.code}: {f.cause}" for f in found)
    return Answer(fault, labels, words, error, time.perf_counter() - began)


def table(answers: list[Answer]) -> str:
    """A row for each program."""
    rows = [
        (
            str(told.fault.number),
            told.fault.post,
            ", ".join(told.fault.kinds) or "nothing",
            ", ".join(told.labels),
            "yes" if told.diagnosed else "no",
            told.error,
            f"{told.seconds:.1f}",
        )
        for told in answers
    ]
    return markdown(("row", "post", "wrong", "named", "diagnosed", "stopped by", "s"), rows)


def counts(answers: list[Answer]) -> str:
    """Beside those of others, which are of all 52 programs."""
    total = max(1, len(answers))
    detected, diagnosed = (sum(getattr(told, name) for told in answers) for name in ("detected", "diagnosed"))
    rows = [
        (
            f"thalweg, {total} programs told again",
            f"{detected} ({detected / total:.0%})",
            f"{diagnosed} ({diagnosed / total:.0%})",
        )
    ]
    rows += [
        (name, f"{DETECTED[name]} ({DETECTED[name] / 52:.0%})", f"{DIAGNOSED[name]} ({DIAGNOSED[name] / 52:.0%})")
        for name in DETECTED
    ]
    return "\n" + markdown(("tool", "detected", "diagnosed"), rows)


if __name__ == "__main__":
    main()
