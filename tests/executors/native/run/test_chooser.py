"""How many threads: predicted, then measured."""

from thalweg.executors.native.run.chooser import FEWEST_STEPS, SLOWER, TRIAL_SECONDS, WAIT_CALLS, ThreadChooser


def measured(chooser: ThreadChooser, one: float, everyone: float, calls: int, steps: int = 1000) -> int:
    """Runs calls on a machine that takes these seconds a step; how many steps ran with the slower number."""
    slow = 0
    seconds = {False: one, True: everyone}
    slower = one < everyone
    for _ in range(calls):
        trial = chooser.trial(steps)
        if trial:
            other = not chooser.best
            slow += trial * (other is slower)
            chooser.tried(other, seconds[other])
        slow += (steps - trial) * (chooser.best is slower)
        chooser.took(chooser.best, seconds[chooser.best])
    return slow


def test_a_wrong_prediction_is_put_right_by_the_first_trial():
    chooser = ThreadChooser(one=1e-3, everyone=2e-3)
    assert not chooser.best
    measured(chooser, one=1e-3, everyone=0.6e-3, calls=1)
    assert chooser.best


def test_trials_become_rare_and_cost_little():
    chooser = ThreadChooser(one=1e-3, everyone=0.5e-3)
    calls = 400
    assert measured(chooser, one=1e-3, everyone=0.5e-3, calls=calls) <= 0.01 * calls * 1000


def test_a_trial_outlasts_a_time_slice_but_not_half_the_call():
    chooser = ThreadChooser(one=1e-3, everyone=0.5e-3)
    assert chooser.trial(10_000) >= TRIAL_SECONDS / 1e-3
    assert ThreadChooser(one=1e-3, everyone=0.5e-3).trial(FEWEST_STEPS) == FEWEST_STEPS // 2


def test_calls_too_short_to_measure_keep_the_prediction():
    chooser = ThreadChooser(one=1e-3, everyone=0.5e-3)
    assert all(chooser.trial(FEWEST_STEPS - 1) == 0 for _ in range(100))


def test_when_another_program_takes_a_core_one_thread_takes_over_at_once():
    chooser = ThreadChooser(one=1e-3, everyone=0.5e-3)
    measured(chooser, one=1e-3, everyone=0.5e-3, calls=200)
    assert chooser.best
    measured(chooser, one=1e-3, everyone=0.5e-3 * SLOWER * 4, calls=3)
    assert not chooser.best


def test_all_threads_return_when_the_core_is_free_again():
    chooser = ThreadChooser(one=1e-3, everyone=0.5e-3)
    measured(chooser, one=1e-3, everyone=4e-3, calls=10)
    assert not chooser.best
    measured(chooser, one=1e-3, everyone=0.5e-3, calls=WAIT_CALLS[1] + 1)
    assert chooser.best
