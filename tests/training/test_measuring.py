"""Statistics of layers in training: right numbers, and no difference to what is trained."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import layers, optimizers
from thalweg.callbacks import LayerStatistics
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.training.measuring import Sparing

X, Y = nets.points(60)


def test_numbers_of_one_step_against_numpy():
    model = nets.classifier(optimizer=optimizers.SGD(0.5))
    before = model.get_weights()
    hidden = thalweg.Model(model.inputs, model.layers[0].output).predict(X, verbose=0).astype(np.float64)
    watch = LayerStatistics()
    model.fit(X, Y, batch_size=60, verbose=0, callbacks=[watch])
    moves = [new - old for new, old in zip(model.get_weights(), before, strict=True)]
    assert watch.steps == [0]
    assert list(watch.layers) == ["dense", "dense_1"]
    found = {name: values for name, (values,) in watch.layers["dense"].items()}
    kernel, bias = before[:2]
    move = np.sqrt(sum(np.square(m).sum() for m in moves[:2]))
    weight = np.sqrt(sum(np.square(w).sum() for w in before[:2]))
    z = X.astype(np.float64) @ kernel + bias
    expected = {
        "mean": hidden.mean(),
        "deviation": hidden.std(),
        "zeros": (hidden == 0).mean(),
        "pre_deviation": z.std(),
        "dead": (hidden == 0).all(0).mean(),
        "gradient_norm": move / 0.5,
        "kernel_gradient": np.sqrt(np.square(moves[0]).sum()) / 0.5,
        "zero_gradients": 0.0,
        "gain": kernel.std() * np.sqrt(len(kernel)),
        "update_ratio": move / weight,
    }
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("every", [1, 3, 50])
@pytest.mark.parametrize("optimizer", ["adam", optimizers.SGD(0.1, momentum=0.9)])
def test_weights_and_logs_are_the_same_with_and_without(every, optimizer):
    options = {"epochs": 3, "batch_size": 16, "verbose": 0, "validation_split": 0.2}
    with_it, without = (nets.classifier(optimizer=optimizer, dropout=0.3) for _ in range(2))
    watch = LayerStatistics(every)
    measured = with_it.fit(X, Y, callbacks=[watch], **options).history
    assert without.fit(X, Y, **options).history == measured
    assert nets.same_bits(with_it, without)
    assert watch.steps == list(range(0, 9, every))  # batches of 16, 16 and 16
    assert all(len(values) == len(watch.steps) for found in watch.layers.values() for values in found.values())


def test_images_are_the_same_with_and_without():
    x = np.random.default_rng(0).normal(size=(24, 8, 8, 3)).astype(np.float32)
    y = np.arange(24) % 3
    models = []
    for watchers in ([], [LayerStatistics(2)]):
        thalweg.utils.set_random_seed(2)
        parts = [
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
        ]
        model = thalweg.Sequential([thalweg.Input((8, 8, 3)), *parts, layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=watchers)
        models.append(model)
    assert nets.same_bits(*models)


def test_nothing_is_compiled_where_nobody_measures():
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    programs = model.runner.programs()
    seconds = programs.compile_seconds
    model.fit(X, Y, verbose=0, callbacks=[LayerStatistics(3)])  # the last, smaller batch
    assert model.state.names("statistics")
    assert programs.compile_seconds > seconds
    seconds, other = programs.compile_seconds, nets.classifier()
    model.fit(X, Y, verbose=0)
    other.fit(X, Y, verbose=0)
    assert programs.compile_seconds == seconds
    assert not other.state.names("statistics")


def test_layers_inside_of_models_go_by_their_paths():
    inner = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(5, "relu")], name="encoder")
    model = thalweg.Sequential([inner, layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    watch = LayerStatistics()
    model.fit(X, Y, verbose=0, callbacks=[watch])
    assert watch.layers.keys() == {"encoder/dense", "dense"}
    assert watch.layers["encoder/dense"].keys() == set(thalweg.statistics.ALL) - {"saturated"}


def test_two_callbacks_get_their_own_steps():
    often, seldom = LayerStatistics(2), LayerStatistics(3)
    nets.classifier().fit(X, Y, batch_size=10, verbose=0, callbacks=[often, seldom])
    assert (often.steps, seldom.steps) == ([0, 2, 4], [0, 3])


def test_with_a_line_search():
    model = nets.classifier(optimizer=optimizers.LBFGS())
    watch = LayerStatistics(2)
    model.fit(X, Y, batch_size="full", epochs=4, verbose=0, callbacks=[watch])
    plain = nets.classifier(optimizer=optimizers.LBFGS())
    plain.fit(X, Y, batch_size="full", epochs=4, verbose=0)
    assert nets.same_bits(model, plain)
    assert watch.layers["dense"].keys() == set(thalweg.statistics.ALL) - {"saturated", "update_ratio"}


def test_a_loss_that_is_not_finite_is_reported_as_without():
    with pytest.raises(NonFiniteError, match="training step"):
        nets.classifier(optimizer=optimizers.SGD(3e38)).fit(X, Y, verbose=0, callbacks=[LayerStatistics(1)])


def test_as_a_table():
    watch = LayerStatistics()
    nets.classifier().fit(X, Y, verbose=0, callbacks=[watch])
    title, header, _, first, second = str(watch).splitlines()
    assert title == "step 0"
    assert header.split() == ["layer", *thalweg.statistics.ALL]
    assert (first.split()[0], second.split()[0]) == ("dense", "dense_1")


def test_mistakes():
    with pytest.raises(ArgumentError, match="'every'"):
        LayerStatistics(0)
    with pytest.raises(ArgumentError, match="nothing has been measured"):
        LayerStatistics().table()


class Clock:
    """Measured steps take so long, others a millisecond."""

    def __init__(self, measured):
        self.now, self.measured = 0.0, measured

    def __call__(self):
        return self.now

    def steps(self, sparing, end):
        """Which are measured."""
        found, step = [], 0
        while step < end:
            due = sparing.measures_in(step)
            if due:
                self.now += 1e-3 * due
                step += due
            else:
                self.now += self.measured if found else 10.0  # the first one is compiled
                sparing.took(step)
                found.append(step)
                step += 1
        return found


def test_the_doctor_measures_no_more_than_costs_little():
    cheap, dear = Clock(0.2e-3), Clock(0.01)
    assert cheap.steps(Sparing(50, cheap), 300) == [0, 50, 100, 150, 200, 250]
    often = dear.steps(Sparing(50, dear), 5000)
    assert often[:2] == [0, 50]
    assert set(np.diff(often[1:])) == {550}  # 2 % of 0.54 s are 0.0108: the step and what is beside it


def test_steps_that_were_not_asked_for_are_no_debt():
    sparing = Sparing(10)
    assert [sparing.measures_in(step) for step in (3, 7, 10, 25)] == [7, 3, 0, 5]
