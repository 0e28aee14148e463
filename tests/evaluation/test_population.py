"""fit_many: the bits of fit alone, at once."""

import signal
import threading
from functools import partial

import pytest
from tests import nets

import thalweg
from thalweg import callbacks
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.evaluation import fit_many
from thalweg.executors.native.run.team import run_on

X, Y = nets.points(120)


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_bits_as_alone(count, threads):
    shared = {"epochs": 4, "validation_split": 0.2}
    each = [{"batch_size": 8 + 8 * i, "seed": i} for i in range(count)]
    together, alone = ([nets.classifier(seed=i, dropout=0.3) for i in range(count)] for _ in range(2))
    histories = fit_many(together, X, Y, each=each, threads=threads, verbose=0, **shared)
    for model, left, history, own in zip(together, alone, histories, each, strict=True):
        assert history is model.history
        expected = left.fit(X, Y, verbose=0, **shared, **own)
        assert history.history == expected.history
        assert nets.same_bits(model, left)


def test_models_that_are_not_built_yet():
    def make(seed):
        thalweg.utils.set_random_seed(seed)
        model = thalweg.Sequential([thalweg.layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    many, alone = [make(seed) for seed in (1, 2, 3)], [make(seed) for seed in (1, 2, 3)]
    fit_many(many, X, Y, epochs=2, verbose=0)
    for model, left in zip(many, alone, strict=True):
        left.fit(X, Y, epochs=2, verbose=0)
        assert nets.same_bits(model, left)


def test_callbacks_of_each_model_are_its_own():
    made = []

    def make():
        made.append(callbacks.EarlyStopping("loss", min_delta=10.0, patience=1))
        return made[-1:]

    histories = fit_many([nets.classifier(seed=i) for i in range(3)], X, Y, epochs=9, callbacks=make, verbose=0)
    assert len(made) == 3
    assert [len(history.epoch) for history in histories] == [2, 2, 2]
    assert {history.stopped_by for history in histories} == {"callback"}


def ctrl_c_after_three_epochs():
    """Callbacks of which the first to see its third epoch presses Ctrl-C, once."""
    presses = iter([signal.SIGINT])

    def press(epoch, logs):
        if epoch == 2 and (number := next(presses, None)):
            signal.raise_signal(number)

    return lambda: [callbacks.LambdaCallback(on_epoch_end=press)]


def test_ctrl_c_ends_all(capfd):
    models = [nets.classifier(seed=i) for i in range(4)]
    histories = fit_many(models, X, Y, epochs=10**6, callbacks=ctrl_c_after_three_epochs(), threads=2, verbose=0)
    assert {history.stopped_by for history in histories} == {"user"}
    assert max(len(history.epoch) for history in histories[:2]) >= 3
    assert not histories[3].epoch  # its turn had not come
    assert capfd.readouterr().err.count("Stopped by Ctrl-C") == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_breaks_is_reported_after_the_others_have_ended():
    models = [nets.regressor(seed=i, optimizer=thalweg.optimizers.SGD(r)) for i, r in enumerate((1e-3, 1e30, 1e-3))]
    with pytest.raises(NonFiniteError):
        fit_many(models, X[:, :2], X[:, 2], epochs=3, verbose=0)
    assert [len(model.history.epoch) for model in models] == [3, 0, 3]


def test_bad_data_end_all_at_once():
    models = [nets.classifier(seed=i) for i in range(3)]
    with pytest.raises(ValueError, match="does not fit the model's input"):
        fit_many(models, X, Y, each=[{}, {"x": X[:, :2]}, {}], epochs=10**6, verbose=0, threads=3)


def test_the_line(capsys):
    fit_many([nets.classifier(seed=i) for i in range(3)], X, Y, epochs=2, verbose=2)
    assert capsys.readouterr().out.startswith("Train 3 networks  ")


def test_what_cannot_be():
    model = nets.classifier()
    shared = thalweg.Sequential([thalweg.Input((4,)), model.layers[0], thalweg.layers.Dense(1)])
    shared.compile("sgd", "mse")
    for models, arguments in (
        ([model, model], {}),
        ([model, shared], {}),
        ([model, "net"], {}),
        ([model], {"each": []}),
        ([model], {"each": [{"verbose": 1}]}),
        ([model], {"callbacks": [callbacks.EarlyStopping()]}),
    ):
        with pytest.raises(ArgumentError) as caught:
            fit_many(models, X, Y, **arguments)
        assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


def wait(barrier, thread):
    barrier.wait()


def test_two_teams_at_once_do_not_wait_for_each_other():
    """Each call's threads meet; with one common pool of three, two calls of four would wait for ever."""

    def meet(rounds):
        for _ in range(rounds):
            barrier = threading.Barrier(4, timeout=600)
            run_on(4, partial(wait, barrier))

    callers = [threading.Thread(target=meet, args=(50,), daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert not any(caller.is_alive() for caller in callers)


def test_empty():
    assert fit_many([], X, Y, verbose=0) == []
