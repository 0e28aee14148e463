"""How many threads: the choice on a simulated machine whose cores are taken and given back."""

import itertools

import pytest
from tests.executors.native.run.machine import Machine, Period, Step, simulate

from thalweg.executors.native.run.chooser import LEARNED_PROGRAMS, ThreadChooser, candidates, learned_of

WIDE = Step(2.4e-3, barriers=7)  # 784-512-10
DEEP = Step(0.33e-3, barriers=40, barrier=1e-6)  # 20 x 64
TINY = Step(40e-6, barriers=8, barrier=0.5e-6)  # 784-32-10
STREAM = Step(2.4e-3, barriers=7, stream=0.5)
SLOW = Step(8.5e-3, barriers=9)
STEPS = {"wide": WIDE, "deep": DEEP, "tiny": TINY, "stream": STREAM, "slow": SLOW}

QUIET = (Period(0),)
TAKEN = (Period(0, taken=1),)
AT_START = (Period(0, taken=1), Period(0.5))
IN_THE_MIDDLE = (Period(0), Period(1, taken=1), Period(1.5))
FOR_GOOD = (Period(0), Period(0.7, taken=1))
SLOW_MEMORY = (Period(0), Period(1, memory=2))
SCENARIOS = {
    "quiet": QUIET,
    "taken": TAKEN,
    "at the start": AT_START,
    "in the middle": IN_THE_MIDDLE,
    "for good": FOR_GOOD,
    "slow memory": SLOW_MEMORY,
}
GUESSES = ({}, {1: 1 / 3}, {1: 3})
"""By what the prediction is wrong: all right, one thread too quick, one thread too slow."""


def run(machine: Machine, seconds: float = 2.0, guess=None):
    return simulate(machine, ThreadChooser(machine.predicted(guess)), seconds)


def quick(machine: Machine, threads: int, at: float) -> bool:
    """Whether that number is the quickest then, but for 5 %."""
    return machine.step_seconds(threads, at) <= 1.05 * machine.step_seconds(machine.best(at), at)


@pytest.mark.parametrize("guess", GUESSES, ids=["right", "one too quick", "one too slow"])
@pytest.mark.parametrize("step", STEPS)
def test_the_choice_is_right_within_50_ms(step, guess):
    """Or within eight steps, where those take longer."""
    first = max(0.05, 8 * STEPS[step].seconds(1))
    for scenario in (QUIET, TAKEN):
        machine = Machine(STEPS[step], 2, scenario)
        trace = run(machine, 1.0, guess)
        assert all(quick(machine, trace.at(t), t) for t in (first, 0.1, 0.5, 1.0))


@pytest.mark.parametrize("scenario", [AT_START, IN_THE_MIDDLE, FOR_GOOD], ids=["start", "middle", "for good"])
@pytest.mark.parametrize("step", STEPS)
def test_it_is_right_again_within_300_ms_of_a_change(step, scenario):
    machine = Machine(STEPS[step], 2, scenario)
    trace = run(machine)
    for period in scenario[1:]:
        assert all(quick(machine, trace.at(t), t) for t in (period.start + 0.3, period.start + 0.45))


LATE = [SLOW, Step(5.2e-3, barriers=20), Step(2.4e-3, barriers=30)]
"""Steps that take very long on several threads where others use every core: at each barrier one is stopped."""


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3], ids=["still", "noisy", "very noisy"])
@pytest.mark.parametrize("step", LATE)
def test_other_programs_on_every_core_are_forgotten_when_they_end(step, noise):
    """Also where nobody says that cores are idle."""
    machine = Machine(step, 2, (Period(0, taken=2, starved=20.0),), noise)
    chooser = ThreadChooser(machine.predicted())
    simulate(machine, chooser, 2.0)
    assert chooser.threads == 1
    machine.periods, machine.noise = QUIET, 0.02
    simulate(machine, chooser, 0.5)
    assert chooser.threads == 2


@pytest.mark.parametrize("starved", [4.0, 20.0, 60.0])
@pytest.mark.parametrize("noise", [0.0, 0.4], ids=["still", "very noisy"])
@pytest.mark.parametrize("step", LATE)
def test_cores_that_are_idle_are_tried_at_once(step, noise, starved):
    machine = Machine(step, 2, (Period(0, taken=2, starved=starved),), noise)
    chooser = ThreadChooser(machine.predicted(), idle=machine.idle)
    simulate(machine, chooser, 2.0)
    machine.periods, machine.noise = QUIET, 0.02
    simulate(machine, chooser, 0.3)
    assert chooser.threads == 2


def test_idle_cores_that_do_not_help_are_tried_once():
    """To begin a call on two threads takes longer than this step."""
    lost = []
    for idle in (lambda _: None, lambda _: 1.0):
        machine = Machine(TINY, 2)
        chooser = ThreadChooser(machine.predicted(), idle=idle)
        simulate(machine, chooser, 2.5, call_seconds=0.0)
        assert chooser.threads == 1
        lost.append(machine.lost)
    assert lost[1] <= lost[0] + 0.01


@pytest.mark.parametrize("noise", [0.0, 0.05], ids=["still", "noisy"])
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("step", STEPS)
def test_wrong_choices_and_trials_cost_at_most_5_percent(step, scenario, noise):
    machine = Machine(STEPS[step], 2, SCENARIOS[scenario], noise, outliers=20 if noise else 0)
    run(machine)
    assert machine.lost <= 0.05 * machine.now


@pytest.mark.parametrize("cores", [8, 16])
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("step", STEPS)
def test_of_many_cores_as_many_as_are_quickest_are_used(step, scenario, cores):
    machine = Machine(STEPS[step], cores, SCENARIOS[scenario])
    trace = run(machine)
    assert machine.lost <= 0.05 * machine.now
    assert quick(machine, trace.at(2.0), 2.0)


@pytest.mark.parametrize("cores", [3, 4, 6, 8, 16])
def test_a_wrong_first_number_is_left_behind(cores):
    """From one thread up to all and back: the way leads over the numbers between."""
    machine = Machine(WIDE, cores)
    trace = run(machine, 1.0, {1: 1e-3})
    assert trace.chosen[0][1] == 1
    assert quick(machine, trace.at(1.0), 1.0)
    many_barriers = Machine(Step(0.1e-3, barriers=100), cores)
    trace = run(many_barriers, 1.0, {cores: 1e-3})
    assert trace.chosen[0][1] == cores
    assert quick(many_barriers, trace.at(1.0), 1.0)


def test_bursts_of_half_a_second_in_every_three_cost_little():
    bursts = [period for i in range(4) for period in (Period(3 * i), Period(3 * i + 1, taken=1), Period(3 * i + 1.5))]
    machine = Machine(WIDE, 2, bursts)
    run(machine, 12.0)
    assert machine.lost <= 0.03 * machine.now


@pytest.mark.parametrize("bad", range(12))
def test_a_single_disturbed_piece_decides_nothing(bad):
    """Whichever it is: with ten times its duration it changes the choice neither at once nor soon after."""
    machine = Machine(WIDE, 2)
    chooser = ThreadChooser(machine.predicted())
    for piece in itertools.count():
        threads, steps = chooser.next(1000)
        chooser.took(steps, machine.run(threads, steps) * (10 if piece == bad else 1))
        if piece >= bad:
            assert chooser.threads == 2
        if machine.now > 1:
            break


@pytest.mark.parametrize("step", [WIDE, DEEP], ids=["wide", "deep"])
def test_threads_that_must_share_a_core_at_first_run_until_they_are_moved_apart(step):
    """One thread is as quick until then; trials of a piece would never see more than that."""
    machine = Machine(step, 2, crowded=0.04)
    trace = run(machine, 1.0, {1: 1e-3})
    assert machine.crowded == 0
    assert trace.at(1.0) == 2
    assert machine.lost <= 0.05 * machine.now


def test_threads_that_share_a_core_for_good_cost_little():
    machine = Machine(WIDE, 2, crowded=1e9)
    run(machine)
    assert machine.lost <= 0.03 * machine.now


def test_long_steps_are_tried_only_when_that_has_been_paid_for():
    """A step of a third of a second on one thread would be a seventh of a run of two seconds."""
    machine = Machine(Step(0.33))
    run(machine)
    assert machine.lost <= 0.01 * machine.now


def test_what_was_learned_is_kept():
    machine = Machine(WIDE, 2)
    learned = {}
    simulate(machine, ThreadChooser(machine.predicted({1: 1e-3}), learned), 0.2)
    assert ThreadChooser(machine.predicted({1: 1e-3})).threads == 1
    assert ThreadChooser(machine.predicted({1: 1e-3}), learned).threads == 2


def test_of_many_programs_what_was_learned_first_is_forgotten():
    kept = learned_of("some")
    kept[2] = 0.5
    for other in range(LEARNED_PROGRAMS - 1):
        learned_of(f"other {other}")
    assert learned_of("some") is kept  # and now it is the newest
    for other in range(LEARNED_PROGRAMS):
        learned_of(f"another {other}")
    assert learned_of("some") == {}


def test_steps_that_come_one_by_one_are_measured_too():
    """To begin a call on two threads takes longer than this step."""
    machine = Machine(TINY, 2)
    chooser = ThreadChooser(machine.predicted())
    assert chooser.threads == 2
    simulate(machine, chooser, 0.5, call_seconds=0.0)
    assert chooser.threads == 1


@pytest.mark.parametrize(
    ("most", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 3, 4]), (12, [1, 2, 4, 8, 11, 12])]
)
def test_candidates_are_doubled_up_to_all_but_one_and_all(most, expected):
    assert candidates(most) == expected
