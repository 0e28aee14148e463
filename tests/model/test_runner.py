"""What runs a model, without the model: hand-made structures, what compile decided, state and programs."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, layers
from thalweg.callbacks import Callback
from thalweg.errors import ArgumentError, GraphError, NameNotFoundError, ShapeError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.layers.tracing import tracing
from thalweg.model.compiled import Compiled, Trained
from thalweg.model.runner import COUNTERS, Runner
from thalweg.model.structure import Structure, between, stacked
from thalweg.ops.leaf import input_node
from thalweg.optimizers import SGD
from thalweg.state.names import PARAMETERS, SEED_STATE, SLOTS
from thalweg.training.callbacks import CallbackList

X, Y = np.array([[1.0], [2.0]], np.float32), np.array([[2.0], [4.0]], np.float32)


def line(**options) -> Structure:
    """y = w x from w = 1."""
    return stacked(Input((1,)), [layers.Dense(1, use_bias=False, kernel_initializer="ones", name="w", **options)])


def runner_of(structure: Structure, trainable: bool = True) -> Runner:
    runner = Runner("Model", seed=5)
    runner.connect(structure, trainable)
    return runner


def squares(structure: Structure, rule=None, loss="mse", **given) -> Compiled:
    arguments = {"loss_weights": None, "metrics": None, "weighted_metrics": None, **given}
    return Compiled(rule or SGD(0.1), loss, trained=Trained.now(structure, True), **arguments)


class TestTrained:
    def test_what_the_layers_say(self):
        x = Input((1,))
        first, second = layers.Dense(1, name="a"), layers.Dense(1, name="b", trainable=False)
        structure = between(x, second(first(x)))
        trained = Trained.now(structure, True)
        assert trained == Trained(frozenset({"a/kernel", "a/bias"}), frozenset({second}))
        assert Trained.now(structure, False).paths == frozenset()

    def test_what_they_say_later_is_another_value(self):
        structure = line()
        before = Trained.now(structure, True)
        structure.layers[0].trainable = False
        assert before.paths == {"w/kernel"}
        assert Trained.now(structure, True) != before

    def test_described_and_restored(self):
        structure = line(trainable=False)
        trained = Trained.now(structure, True)
        assert trained.described(structure) == {"trained": [], "frozen": ["w"]}
        assert Trained.restored(trained.described(structure), structure) == trained
        with pytest.raises(ArgumentError, match="frozen is not there"):
            Trained.restored({"trained": [], "frozen": ["v"]}, structure)


class TestCompiled:
    def test_goals_by_the_outputs_or_by_the_only_layers_name(self):
        structure = line()
        types = structure.output_types()
        by_name = squares(structure, loss={"w": "mse"}).goals(structure, types)
        assert by_name == squares(structure).goals(structure, types)
        assert by_name.names == ["loss"]

    def test_slots_are_those_of_what_is_trained(self):
        structure = line()
        adam = squares(structure, rule=thalweg.optimizers.Adam())
        slots = [name for name in adam.slots(structure) if name.startswith(SLOTS)]
        assert slots == ["slots/w/kernel/m", "slots/w/kernel/v"]
        frozen = Compiled(adam.rule, "mse", None, None, None, Trained())
        assert not any(name.startswith(SLOTS) for name in frozen.slots(structure))

    def test_it_does_not_change(self):
        compiled = squares(line())
        with pytest.raises(AttributeError):
            compiled.loss = "mae"  # type: ignore[misc]


class TestConnecting:
    def test_nothing_is_built_before(self):
        runner = Runner("Model", seed=0)
        for wanted in (runner.programs, lambda: runner.rows(X)):
            with pytest.raises(GraphError, match="running a model: the model is not built"):
                wanted()
        with pytest.raises(GraphError, match="this: the model is not compiled"):
            runner.require_compiled("this")

    def test_the_message_knows_what_is_missing(self):
        runner = runner_of(stacked(None, [layers.Dense(1)]))
        with pytest.raises(GraphError, match="a Model without an Input"):
            runner.require_built("fit")

    def test_another_structure_keeps_the_layers_values_and_what_was_compiled(self):
        structure = line()
        runner = runner_of(structure)
        runner.compile(squares(structure))
        runner.trainer("fit").train_on_batch(runner.prepare(X, Y))
        value = structure.parameters()["w/kernel"].numpy()
        longer = stacked(structure.inputs["x"], [*structure.layers, layers.Dense(1, name="next")])
        runner.connect(longer, trainable=True)
        assert not runner.state.names(PARAMETERS)
        assert runner.optimizer is not None
        assert runner.optimizer.iterations == 0
        assert runner.require_compiled("fit").trained.paths == {"w/kernel", "next/kernel", "next/bias"}
        runner.give_values()
        np.testing.assert_array_equal(structure.parameters()["w/kernel"].numpy(), value)


class TestCompiling:
    def test_what_does_not_fit_changes_nothing(self):
        structure = line()
        runner = runner_of(structure)
        good = squares(structure)
        runner.compile(good)
        handle = runner.optimizer
        with pytest.raises(ArgumentError):
            runner.compile(squares(structure, loss={"v": "mse"}))
        with pytest.raises(NameNotFoundError):
            runner.compile(squares(structure, loss="msee"))
        assert runner.compiled is good
        assert runner.optimizer is handle

    def test_names_are_checked_before_there_is_a_structure(self):
        runner = Runner("Model", seed=0)
        with pytest.raises(NameNotFoundError, match="did you mean"):
            runner.compile(squares(Structure(), loss="msee"))
        runner.compile(squares(Structure()))

    def test_the_loss_is_chosen_once(self, capsys):
        structure = line()
        runner = runner_of(structure)
        runner.compile(squares(structure, loss="auto"))
        runner.choose_loss(X, Y, verbose=1)
        assert "mean_squared_error" in (runner.loss_choice or "")
        assert capsys.readouterr().out.strip() == runner.loss_choice
        (goal,) = runner.goals().outputs
        assert isinstance(goal.loss, thalweg.losses.MeanSquaredError)


class TestState:
    def test_counters_and_parameters(self):
        runner = runner_of(line())
        runner.give_values()
        assert set(runner.state) == {*COUNTERS, "parameters/w/kernel"}
        assert runner.state.number(SEED_STATE) == 5
        assert set(runner.state_types()) == set(runner.state)

    def test_complete_has_what_the_optimizer_keeps(self):
        structure = line()
        runner = runner_of(structure)
        runner.compile(squares(structure, rule=SGD(0.1, momentum=0.9)))
        assert set(runner.complete()) == set(runner.state_types())
        assert len([name for name in runner.state if name.startswith("slots/w/kernel/")]) == 1

    def test_taken_from_arrays(self):
        runner = runner_of(line())
        arrays = {name: np.full(kind.shape, 3, kind.dtype) for name, kind in runner.state_types().items()}
        runner.take_state(arrays)
        np.testing.assert_array_equal(runner.state.read("parameters/w/kernel"), [[3.0]])


class TestRunning:
    def test_a_step_by_hand(self):
        """Loss (1 (1 - 2)^2 + (2 - 4)^2) / 2 = 2.5, slope 2 (-1 * 1 - 2 * 2) / 2 = -5: w becomes 1 + .1 * 5 = 1.5."""
        structure = line()
        runner = runner_of(structure)
        runner.compile(squares(structure))
        logs = runner.trainer("fit").train_on_batch(runner.prepare(X, Y))
        assert logs["loss"] == pytest.approx(2.5)
        np.testing.assert_allclose(structure.parameters()["w/kernel"].numpy(), [[1.5]], rtol=1e-6)

    def test_what_is_frozen_stays_whatever_the_layer_says_later(self):
        structure = line(trainable=False)
        runner = runner_of(structure)
        runner.compile(squares(structure))
        structure.layers[0].trainable = True
        assert runner.net().trainable == frozenset()
        runner.settle(Trained.now(structure, True))
        assert runner.net().trainable == {"w/kernel"}

    def test_prediction_and_the_short_way_for_one_row(self):
        runner = runner_of(line())
        runner.give_values()
        watchers = CallbackList(None)
        assert runner.one_row is None
        np.testing.assert_array_equal(runner.predict(runner.rows(X), 32, 0, watchers)[""], X)
        assert runner.one_row is None
        runner.predict(runner.rows(X[:1]), 32, 0, watchers)
        assert runner.one_row is not None
        assert runner.one_row.takes(X[:1])
        np.testing.assert_array_equal(runner.one_row(X[1:]), X[1:])
        runner.executor = NumpyExecutor()
        assert runner.one_row is None

    def test_watchers_hear_of_batches(self):
        """Of those that the user asks for, as in Keras, whatever pieces are computed."""
        heard = []

        class Hears(Callback):
            def on_predict_batch_end(self, batch, logs=None):
                heard.append(batch)

        runner = runner_of(line())
        runner.predict(runner.rows(np.ones((300, 1), np.float32)), 32, 0, CallbackList([Hears()]))
        assert heard == list(range(10))

    def test_the_layers_as_a_function_of_nodes(self):
        runner = runner_of(line())
        with tracing(runner.net().parameters):
            outputs = runner.call({"x": input_node("x", (4, 1))}, training=True)
        assert outputs[""].shape == (4, 1)

    def test_data_that_do_not_fit(self):
        structure = line()
        runner = runner_of(structure)
        runner.compile(squares(structure))
        with pytest.raises(ShapeError):
            runner.rows(np.ones((2, 3)))
        with pytest.raises(ShapeError):
            runner.prepare(X, np.ones((2, 5)))
