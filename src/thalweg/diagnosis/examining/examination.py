"""``examine``: deeper tests of a model and its data, those that are asked for, within a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from thalweg import plotting
from thalweg.checks import Count, In, check_value, checked
from thalweg.diagnosis.examining.batch import batch_of
from thalweg.diagnosis.examining.curvature import curvature_of
from thalweg.diagnosis.examining.gradients import gradients_of
from thalweg.diagnosis.examining.inputs import inputs_of
from thalweg.diagnosis.examining.noise import noise_of
from thalweg.diagnosis.examining.outcome import Cannot, Outcome
from thalweg.diagnosis.examining.rate import rate_of
from thalweg.diagnosis.examining.seeds import seeds_of
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.surface import surface_of
from thalweg.diagnosis.examining.trial import step_seconds
from thalweg.errors import NameNotFoundError, ThalwegError, did_you_mean
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.table import Table, Tabular

__all__ = ["TESTS", "Examination", "examine"]

ALL_SECONDS = 60.0
"""For all tests, unless somebody says so."""

COMPILING = 1.0
"""Seconds that it takes, about, to compile a step or its derivatives."""


@dataclass(frozen=True)
class Test:
    """One of the tests.

    Attributes:
        run: gives the outcome for a subject.
        work: how many steps of training, of batches of 32 rows, take about as long.
        programs: how many it compiles.
    """

    run: Callable[[Subject], Outcome]
    work: float
    programs: int


TESTS: dict[str, Test] = {
    "gradients": Test(gradients_of, 500, 0),  # by the numpy executor
    "batch": Test(batch_of, 400, 2),
    "inputs": Test(inputs_of, 450, 2),
    "noise": Test(noise_of, 150, 1),
    "curvature": Test(curvature_of, 6000, 5),
    "seeds": Test(seeds_of, 1250, 2),
    "surface": Test(surface_of, 6000, 4),
    "rate": Test(rate_of, 1600, 1),
}
"""By the names that ``examine`` takes, in the order in which they are run."""


@dataclass(frozen=True)
class Examination(Tabular):
    """What ``examine`` found.

    Attributes:
        outcomes: by test; a ``Cannot`` where it does not apply. ``examination["curvature"]`` is the same.
        left_out: tests that were asked for and not run, and why.
        seconds: that each took.
    """

    outcomes: dict[str, Outcome]
    left_out: dict[str, str]
    seconds: dict[str, float]

    def __getitem__(self, test: str) -> Outcome:
        if test in self.outcomes:
            return self.outcomes[test]
        raise NameNotFoundError(
            f"the test {test!r} was not run",
            expected=f"one of {', '.join(map(repr, self.outcomes)) or 'none'}",
            got=self.left_out.get(test, repr(test)),
            fix=f"examine(model, x, y, tests=[{test!r}])" if test in TESTS else did_you_mean(test, self.outcomes),
        )

    @property
    def troubles(self) -> dict[str, Outcome]:
        """Those that say what to do."""
        return {n: found for n, found in self.outcomes.items() if found.change and not isinstance(found, Cannot)}

    def table(self) -> Table:
        rows = [[name, found.code, f"{self.seconds[name]:.1f}"] for name, found in self.outcomes.items()]
        rows += [[name, "left out", ""] for name in self.left_out]
        return Table("", ("test", "found", "seconds"), rows, left=2)

    def __str__(self) -> str:
        lines = [str(self.table())]
        for name, found in self.outcomes.items():
            lines.append(f"{name}: {found.verdict}")
            if found.change:
                lines.append(f"  to do: {found.change}")
        return "\n".join([*lines, *(f"{name}: left out, {why}" for name, why in self.left_out.items())])

    def show(self) -> None:
        """Print it."""
        print(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""
        outcomes = {name: found.to_dict() for name, found in self.outcomes.items()}
        return {"outcomes": outcomes, "left_out": dict(self.left_out), "seconds": dict(self.seconds)}

    def plot(self) -> Any:
        """Draw all that have curves in one figure, which is returned.

        Raises: MissingPackageError without matplotlib; NameNotFoundError if nothing of it can be drawn.
        """
        single = [name for name in ("rate", "batch", "seeds") if hasattr(self.outcomes.get(name), "plot")]
        surface: Any = self.outcomes.get("surface")
        has_surface = hasattr(surface, "plot")
        if not single and not has_surface:
            raise NameNotFoundError(
                "there is nothing to draw",
                expected="an examination with 'rate', 'batch', 'seeds' or 'surface'",
                got=", ".join(map(repr, self.outcomes)) or "no test",
                fix="examine(model, x, y, tests=['rate', 'surface']).plot()",
            )
        columns, rows = 3, bool(single) + has_surface
        drawn = plotting.figure(figsize=(5 * columns, 4 * rows), layout="constrained")
        for place, name in enumerate(single, 1):
            outcome: Any = self.outcomes[name]
            outcome.plot(drawn.add_subplot(rows, columns, place))
        if has_surface:
            last = (rows - 1) * columns
            surface.plot([drawn.add_subplot(rows, columns, last + place) for place in (1, 2, 3)])
        return drawn


@checked
def examine(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    tests: Sequence[str] | str | None = None,
    seconds: Annotated[float, In("(0, inf)")] | None = None,
    batch_size: Count = 32,
    sample_weight: Any = None,
    seed: int = 0,
) -> Examination:
    """Test a compiled model, trained or not, on data like those it learns from. It stays as it is.

    =============  ================================================================================================
    test           asks
    =============  ================================================================================================
    ``gradients``  are the gradients right? Central differences in float64. :func:`gradient_test`
    ``batch``      can the network learn 8 rows by heart? :func:`overfit_batch`
    ``inputs``     does it use its inputs? The same training without them. :func:`input_baseline`
    ``noise``      how noisy are the batches, how large should they be? :func:`noise_scale`
    ``curvature``  slope, minimum, saddle or plateau? How sharp, for this rate? :func:`curvature`
    ``seeds``      does the result depend on the seed? :func:`seed_sensitivity`
    ``surface``    the loss along the next step, and along the sharpest direction. :func:`loss_surface`
    ``rate``       is the learning rate right? ``find_lr``. :func:`rate_range`
    =============  ================================================================================================

    A test that does not apply (an L-BFGS has no learning rate) is in the result with the reason, and the others run.

    Arguments:
        x, y, sample_weight: as for ``fit``, arrays.
        tests: a name or several; all unless given.
        seconds: no test is begun that would take longer than what is left of these, as far as can be told before;
            60 unless given, and no limit for tests that are asked for by name.
        batch_size: of the training.
        seed: of all that is drawn: the same seed, the same results.

    Raises: GraphError if the model is not compiled; ArgumentError for a stream; NameNotFoundError for an unknown test;
        what ``fit`` raises for data that do not fit.

    Example: ``print(thalweg.diagnosis.examine(model, x, y, tests=["curvature", "noise"]))``
    """
    wanted = _wanted(tests)
    limit = seconds or (ALL_SECONDS if tests is None else math.inf)
    began = time.perf_counter()
    subject = Subject("examine", model, x, y, sample_weight, batch_size, check_value("examine", "seed", int, seed))
    outcomes: dict[str, Outcome] = {}
    left_out: dict[str, str] = {}
    spent: dict[str, float] = {}
    step = _step_seconds(subject)
    for name in wanted:
        now = time.perf_counter()
        left, needed = limit - (now - began), TESTS[name].work * step + TESTS[name].programs * COMPILING
        if needed > left:
            left_out[name] = f"because it takes about {needed:.0f} s of the {max(left, 0):.0f} s left: pass seconds="
            continue
        try:
            outcomes[name] = TESTS[name].run(subject)
        except ThalwegError as error:
            outcomes[name] = Cannot.because(error)
        spent[name] = time.perf_counter() - now
    return Examination(outcomes, left_out, spent)


def _wanted(tests: Sequence[str] | str | None) -> list[str]:
    """In the order in which they are run."""
    given = list(TESTS) if tests is None else [tests] if isinstance(tests, str) else list(tests)
    for name in given:
        if name not in TESTS:
            raise NameNotFoundError(
                "examine: there is no such test",
                expected=f"some of {', '.join(map(repr, TESTS))}",
                got=repr(name),
                fix=did_you_mean(str(name), TESTS),
            )
    return [name for name in TESTS if name in given]


def _step_seconds(subject: Subject) -> float:
    """Of a step of training; 0 where it cannot be told, and the tests will say why."""
    try:
        measured = step_seconds(subject)
    except ThalwegError:
        return 0.0
    return measured * 32 / subject.batch if math.isfinite(measured) else 0.0
