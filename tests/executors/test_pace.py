"""executors/native/pace.py: predicted at first, then whatever was quicker; trials stay few."""

from thalweg.executors.native.pace import FEWEST_STEPS, TRIAL_EVERY, TRIAL_SHARE, Pace


def run(pace, steps, one, all_of):
    """One call in which a step takes so many seconds on one thread and on all; the parts that it ran in."""
    parts, first = pace.parts(steps), 0
    for everyone, last in parts:
        pace.note(everyone, last - first, (last - first) * (all_of if everyone else one))
        first = last
    assert first == steps, "every step runs, once"
    return parts


def test_short_calls_go_by_the_prediction_and_try_nothing():
    for one, all_of in ((1.0, 0.6), (1.0, 1.1)):
        assert Pace(one, all_of).parts(FEWEST_STEPS - 1) == [(all_of < one, FEWEST_STEPS - 1)]
        assert Pace(one, all_of).parts(0) == [(all_of < one, 0)]


def test_a_wrong_prediction_is_found_in_the_first_call():
    pace = Pace(1.0, 0.6)
    run(pace, 400, one=1.0, all_of=1.5)
    everyone = [parts[-1][0] for parts in (run(pace, 400, one=1.0, all_of=1.5) for _ in range(50))]
    assert not any(everyone)


def test_it_follows_when_another_program_comes_and_goes():
    pace = Pace(1.0, 0.6)
    for all_of, best in ((0.6, True), (2.0, False), (0.6, True)):
        for _ in range(2 * TRIAL_EVERY):
            parts = run(pace, 400, one=1.0, all_of=all_of)
        assert parts[-1][0] is best


def test_trials_cost_little():
    pace = Pace(1.0, 0.6)
    tried = sum(parts[0][1] for parts in (run(pace, 640, 1.0, 0.6) for _ in range(80)) if len(parts) > 1)
    assert tried <= 80 * 640 / TRIAL_SHARE / TRIAL_EVERY + 3 * 640 / TRIAL_SHARE
