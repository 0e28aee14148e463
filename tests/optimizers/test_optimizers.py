"""Optimizers: first steps by hand, clipping, decay, states."""

import math
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import ops, optimizers
from thalweg.errors import ArgumentError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.optimizers import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    schedules,
)
from thalweg.spelling import SpellingNotice
from thalweg.state.names import parameter_state


def steps(optimizer, start, slopes, iterations=0):
    """The parameter after each step from ``start`` with these gradients, and the states at the end."""
    start = {"w": np.asarray(start, np.float64)} if not isinstance(start, dict) else start
    kinds = {name: TensorType.of(array) for name, array in start.items()}
    state = {name: np.full(t.shape, number, t.dtype) for name, (t, number) in optimizer.states(kinds).items()}
    state |= {parameter_state(name): array.copy() for name, array in start.items()}
    state["optimizer/iterations"][...] = iterations
    parameters = {name: ops.state_node(parameter_state(name), kind.shape, kind.dtype) for name, kind in kinds.items()}
    gradients = {name: ops.input_node(f"d_{name}", kind.shape, kind.dtype) for name, kind in kinds.items()}
    graph = Graph({}, optimizer.updates(parameters, gradients))
    assert graph.updates.keys() | {"optimizer/learning_rate"} == state.keys()
    program = NumpyExecutor().compile(graph, gather=False)
    values = []
    for slope in slopes:
        slope = slope if isinstance(slope, dict) else {"w": slope}
        program.run(state, {f"d_{name}": np.asarray(array, kinds[name].dtype) for name, array in slope.items()})
        values.append(state["parameters/w"].copy())
    return np.array(values), state


class TestByHand:
    def test_sgd(self):
        values, _ = steps(SGD(0.25), [1.0, 2.0], [[4.0, 0.0], [-4.0, 2.0]])
        np.testing.assert_allclose(values, [[0.0, 2.0], [1.0, 1.5]])

    def test_momentum(self):
        values, state = steps(SGD(0.25, momentum=0.5), [1.0], [[4.0], [0.0], [0.0]])
        np.testing.assert_allclose(values[:, 0], [0.0, -0.5, -0.75])
        np.testing.assert_allclose(state["slots/w/momentum"], [-0.25])

    def test_nesterov(self):
        values, _ = steps(SGD(0.25, momentum=0.5, nesterov=True), [1.0], [[4.0], [0.0]])
        np.testing.assert_allclose(values[:, 0], [-0.5, -0.75])

    def test_rmsprop(self):
        values, state = steps(RMSprop(0.25, rho=0.75, epsilon=1e-12), [0.0], [[2.0], [2.0]])
        first = -0.25 * 2 / math.sqrt(0.25 * 4)
        np.testing.assert_allclose(values[:, 0], [first, first - 0.25 * 2 / math.sqrt(0.75 + 1)])
        np.testing.assert_allclose(state["slots/w/velocity"], [1.75])

    def test_adam_moves_by_the_rate_at_first(self):
        """Whatever the size of the gradient (Kingma & Ba, section 2.1)."""
        values, state = steps(Adam(0.25, epsilon=1e-12), [0.0, 0.0, 0.0], [[1e-3, -1.0, 1e3]])
        np.testing.assert_allclose(values[0], [-0.25, 0.25, -0.25], rtol=1e-6)
        np.testing.assert_allclose(state["slots/w/m"], [1e-4, -0.1, 1e2])
        np.testing.assert_allclose(state["slots/w/v"], [1e-9, 1e-3, 1e3])

    def test_adam_second_step(self):
        """Algorithm 1 written out."""
        g = np.array([1.0, 3.0])
        m, v, w = 0.0, 0.0, 0.0
        for t in (1, 2):
            m, v = 0.9 * m + 0.1 * g[t - 1], 0.999 * v + 0.001 * g[t - 1] ** 2
            w -= 0.25 * (m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.999**t))
        values, _ = steps(Adam(0.25, epsilon=1e-15), [0.0], g[:, None])
        assert values[1, 0] == pytest.approx(w, rel=1e-9)

    def test_amsgrad_never_forgets(self):
        _, state = steps(Adam(amsgrad=True, beta_2=0.5), [0.0], [[2.0], [0.0]])
        np.testing.assert_allclose([state["slots/w/v"], state["slots/w/v_max"]], [[1.0], [2.0]])

    def test_adagrad(self):
        values, _ = steps(Adagrad(0.5, initial_accumulator_value=0.0, epsilon=1e-15), [0.0], [[3.0], [-4.0]])
        np.testing.assert_allclose(values[:, 0], [-0.5, -0.5 + 0.5 * 4 / 5])

    def test_adadelta(self):
        """Algorithm 1 written out."""
        a = s = w = 0.0
        for g in (2.0, -1.0):
            a = 0.5 * a + 0.5 * g**2
            d = -math.sqrt(s + 1e-3) / math.sqrt(a + 1e-3) * g
            s, w = 0.5 * s + 0.5 * d**2, w + d
        values, _ = steps(Adadelta(1.0, rho=0.5, epsilon=1e-3), [0.0], [[2.0], [-1.0]])
        assert values[1, 0] == pytest.approx(w, rel=1e-12)

    def test_adamax_moves_by_the_rate_at_first(self):
        values, state = steps(Adamax(0.25, beta_2=0.5, epsilon=1e-15), [0.0, 0.0], [[4.0, -1.0], [0.0, 0.0]])
        np.testing.assert_allclose(values[0], [-0.25, 0.25])
        np.testing.assert_allclose(state["slots/w/u"], [2.0, 0.5])

    def test_nadam(self):
        """Equation by equation of the paper's Algorithm 2."""
        product, m, v, w = 1.0, 0.0, 0.0, 0.0
        for t, g in ((1, 1.0), (2, 3.0)):
            mu, mu_next = (0.9 * (1 - 0.5 * 0.96**i) for i in (t, t + 1))
            product *= mu
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
            w -= 0.25 * m_hat / math.sqrt(v / (1 - 0.999**t))
        values, state = steps(Nadam(0.25, epsilon=1e-15), [0.0], [[1.0], [3.0]])
        assert values[1, 0] == pytest.approx(w, rel=1e-9)
        assert state["slots/w/product"] == pytest.approx(product)

    def test_adamw_decays_by_default(self):
        assert AdamW(0.5, 0.25) == AdamW(learning_rate=0.5, weight_decay=0.25)
        values, _ = steps(AdamW(0.5, 0.25), [2.0], [[0.0]])
        np.testing.assert_allclose(values[0], [2.0 - 0.5 * 0.25 * 2.0])

    def test_learning_rate_factors_are_for_the_update_and_the_first_that_fits_counts(self):
        """A step of SGD is the rate times the factor times the gradient; decay takes no part."""
        fast = SGD(0.5, learning_rate_factors=(("nothing", 7.0), ("^w$", 4.0), ("w", 9.0)), weight_decay=0.25)
        values, _ = steps(fast, [2.0], [[0.125]])
        np.testing.assert_allclose(values[0], [2.0 - 0.5 * 0.25 * 2.0 - 0.5 * 4.0 * 0.125])
        still, _ = steps(SGD(0.5, learning_rate_factors=(("w", 0.0),)), [2.0], [[1.0]])
        np.testing.assert_allclose(still[0], [2.0])

    def test_weight_decay_by_a_schedule(self):
        """That of the first step is the schedule's at 0."""
        values, _ = steps(
            SGD(0.5, weight_decay=schedules.PiecewiseConstantDecay([0], [0.25, 0.5])), [2.0], [[0.0], [0.0]]
        )
        np.testing.assert_allclose(values[:, 0], [2.0 * 0.875, 2.0 * 0.875 * 0.75])

    def test_lion_moves_by_the_rate(self):
        values, state = steps(Lion(0.25, beta_1=0.5, beta_2=0.75), [0.0, 0.0], [[4.0, -0.1], [-5.0, 0.0]])
        np.testing.assert_allclose(values, [[-0.25, 0.25], [0.0, 0.5]])
        np.testing.assert_allclose(state["slots/w/m"], [0.75 * 1.0 - 0.25 * 5, 0.75 * -0.025])

    def test_lamb_moves_by_a_share_of_the_norm(self):
        values, _ = steps(Lamb(0.25), [3.0, 4.0], [[1e-3, 1e3]])
        assert np.linalg.norm(values[0] - [3.0, 4.0]) == pytest.approx(0.25 * 5.0)

    def test_lamb_leaves_zeros_their_own_size(self):
        """Norms of 0, of the parameter or of the step, make the ratio 1."""
        values, _ = steps(Lamb(0.25, epsilon=1e-15), [0.0, 0.0], [[0.0, 2.0]])
        np.testing.assert_allclose(values[0], [0.0, -0.25])
        values, _ = steps(Lamb(0.25), [1.0], [[0.0]])
        np.testing.assert_array_equal(values[0], [1.0])


class TestMuon:
    @pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 3)])
    def test_iterates_the_singular_values(self, shape):
        """``O = U p(S) V^T`` with the odd polynomial p applied ``ns_steps`` times to the normalised singular values."""
        g = np.random.RandomState(0).standard_normal(shape)
        u, s, v = np.linalg.svd(g, full_matrices=False)
        s = s / np.linalg.norm(s)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        values, _ = steps(Muon(0.25, weight_decay=None), np.zeros(shape), [g])
        size = 0.25 * 0.2 * math.sqrt(max(shape))
        np.testing.assert_allclose(values[0], -size * (u * s) @ v, rtol=1e-5, atol=1e-8)  # 1e-7 is added to the norm

    def test_trains_with_adam_what_is_no_matrix_or_excluded(self):
        matrix, vector = TensorType((2, 3)), TensorType((3,))
        muon = Muon(exclude_layers=("^head/",))
        assert muon.slots(matrix, "dense/kernel") == ("momentum",)
        for kind, path in ((vector, "dense/bias"), (matrix, "embedding/embeddings"), (matrix, "head/kernel")):
            assert muon.slots(kind, path) == ("momentum", "velocity")
        assert Muon(exclude_embeddings=False).slots(matrix, "embedding/embeddings") == ("momentum",)

    def test_two_decays(self):
        start = {"w": np.ones((2, 2)), "b": np.ones(2)}
        slopes = [{"w": np.zeros((2, 2)), "b": np.zeros(2)}]
        values, state = steps(Muon(0.5, weight_decay=0.5, adam_weight_decay=0.25), start, slopes)
        np.testing.assert_allclose(values[0], 0.75)
        np.testing.assert_allclose(state["parameters/b"], 0.875)


class TestBase:
    def test_decay_comes_first_and_takes_the_rate(self):
        values, _ = steps(SGD(0.25, weight_decay=0.5), [2.0], [[4.0]])
        np.testing.assert_allclose(values[0], [2.0 - 2.0 * 0.25 * 0.5 - 1.0])

    def test_clipvalue(self):
        values, _ = steps(SGD(1.0, clipvalue=0.5), [0.0, 0.0], [[4.0, -0.25]])
        np.testing.assert_allclose(values[0], [-0.5, 0.25])

    def test_clipnorm_is_per_parameter(self):
        start = {"w": np.zeros(2), "b": np.zeros(1)}
        values, state = steps(SGD(1.0, clipnorm=1.0), start, [{"w": [3.0, 4.0], "b": [0.5]}])
        np.testing.assert_allclose(values[0], [-0.6, -0.8])
        np.testing.assert_allclose(state["parameters/b"], [-0.5])

    def test_global_clipnorm(self):
        start = {"w": np.zeros(2), "b": np.zeros(1)}
        values, state = steps(SGD(1.0, global_clipnorm=6.5), start, [{"w": [3.0, 4.0], "b": [12.0]}])
        np.testing.assert_allclose(values[0], [-1.5, -2.0])
        np.testing.assert_allclose(state["parameters/b"], [-6.0])

    @pytest.mark.parametrize("how", ["clipnorm", "global_clipnorm"])
    def test_clipping_of_nothing(self, how):
        values, _ = steps(SGD(1.0, **{how: 1.0}), [1.0], [[0.0]])
        np.testing.assert_array_equal(values[0], [1.0])

    @pytest.mark.parametrize("how", ["clipnorm", "global_clipnorm"])
    @pytest.mark.parametrize("value", [np.inf, np.nan])
    def test_clipping_does_not_hide_overflow(self, how, value):
        values, _ = steps(SGD(1.0, **{how: 1.0}), [1.0, 1.0], [[value, 1.0]])
        assert np.isnan(values).all()

    def test_one_way_of_clipping(self):
        with pytest.raises(ArgumentError, match="one way only"):
            SGD(clipnorm=1.0, clipvalue=1.0)

    def test_the_rate_is_a_state(self):
        optimizer = SGD(0.5)
        kind = TensorType((2,))
        assert optimizer.states({"w": kind}) == {
            "optimizer/iterations": (TensorType((), "int64"), 0),
            "optimizer/learning_rate": (TensorType((), "float32"), 0.5),
        }
        assert Adam().states({"a/kernel": kind})["slots/a/kernel/v"] == (kind, 0.0)

    @pytest.mark.parametrize("t", [1, 2, 3, 1000, 10**9, 2**40])
    def test_correction_is_exact_at_any_step(self, t):
        """In float32 ``1 - beta_2**t`` would be off by 6e-5 at first, and t itself from 2^24 on."""
        values, state = steps(Adam(0.5, epsilon=1e-15), {"w": np.zeros(1, np.float32)}, [[1.0]], iterations=t - 1)
        alpha = 0.5 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        assert values[0, 0] == pytest.approx(-alpha * 0.1 / math.sqrt(0.001), rel=5e-7)
        assert state["optimizer/iterations"] == t

    def test_decay_leaves_out_what_is_excluded(self):
        start = {"w": np.ones(1), "norm/gamma": np.ones(1), "dense/bias": np.ones(1)}
        slopes = [{name: [0.0] for name in start}]
        optimizer = SGD(0.5, weight_decay=0.5, decay_exclusions=("bias$", "^norm/"))
        values, state = steps(optimizer, start, slopes)
        assert [values[0], state["parameters/norm/gamma"], state["parameters/dense/bias"]] == [0.75, 1.0, 1.0]
        by_method = SGD(0.5, weight_decay=0.5)
        by_method.exclude_from_weight_decay(var_names=["bias$", "^norm/"])
        assert by_method == optimizer
        assert SGD.from_config(by_method.get_config()) == optimizer

    @pytest.mark.parametrize("wrong", [{"decay_exclusions": ("(",)}, {"exclude_layers": ("*",)}])
    def test_a_pattern_that_is_none(self, wrong):
        with pytest.raises(ArgumentError, match="regular expressions"):
            Muon(**wrong)

    def test_exclusion_of_weights_themselves(self):
        model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, bias_initializer="ones")])
        optimizer = SGD(0.5, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_list=[model.layers[-1].bias])
        model.compile(optimizer, "mse")
        kernel = model.get_weights()[0]
        x = np.zeros((4, 2), np.float32)
        model.fit(x, np.ones(4), verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], kernel * 0.75, rtol=1e-6)
        assert model.get_weights()[1] == 1.0
        stranger = SGD()
        stranger.exclude_from_weight_decay([object()])
        with pytest.raises(ArgumentError, match="none of the model's"):
            model.compile(stranger, "mse")

    def test_decay_as_in_older_programs(self):
        SGD: Any = optimizers.SGD
        with pytest.warns(
            SpellingNotice, match=r"decay=0\.5 is read as learning_rate=InverseTimeDecay\(0\.25, 1, 0\.5\)"
        ):
            optimizer = SGD(lr=0.25, decay=0.5)
        assert optimizer == SGD(schedules.InverseTimeDecay(0.25, 1, 0.5))
        assert SGD(learning_rate=0.25, decay=0.0) == SGD(0.25)
        values, _ = steps(optimizer, [0.0], [[1.0], [1.0], [1.0]])
        np.testing.assert_allclose(np.diff(values[:, 0], prepend=0), [-0.25, -0.25 / 1.5, -0.125], rtol=1e-6)
        for wrong in ({"decay": -1.0}, {"decay": "a"}):
            with pytest.raises(ArgumentError, match="decay"):
                SGD(**wrong)
        with pytest.raises(ArgumentError, match="by its place"):
            SGD(0.1, decay=0.1)

    def test_a_function_as_the_rate(self):
        values, _ = steps(SGD(lambda: 0.25), [0.0], [[1.0], [1.0]])
        assert values[:, 0].tolist() == [-0.25, -0.5]
        values, _ = steps(SGD(lambda step: 0.5 / (step + 1.0)), [0.0], [[1.0], [1.0]])
        assert values[:, 0].tolist() == [-0.5, -0.75]

    def test_variables_of_a_model_s_optimizer(self):
        model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(3)])
        model.compile(Adam(0.5), "mse")
        handle = model.optimizer
        assert [v.name for v in handle.variables] == ["iterations", "learning_rate"]
        model.fit(np.ones((4, 2)), np.ones((4, 3)), batch_size=2, verbose=0)
        assert {v.name for v in handle.variables} == {"iterations", "learning_rate", "m", "v"}
        assert {v.shape for v in handle.variables} == {(), (2, 3), (3,)}
        assert handle.variables[0].numpy() == handle.iterations.numpy() == 2
        assert np.asarray(handle.variables[-1]).dtype == handle.variables[-1].dtype == "float32"

    def test_what_has_been_handed_over_does_not_change(self):
        optimizer: Any = Adam(0.5)
        assert optimizer.lr == 0.5
        with pytest.raises(ArgumentError, match=r"Adam\.learning_rate cannot be set") as caught:
            optimizer.learning_rate = 0.1
        assert "model.optimizer.learning_rate" in caught.value.fix

    def test_scaling_the_loss_changes_nothing(self):
        inner = Adam(0.5)
        assert thalweg.optimizers.LossScaleOptimizer(inner) is inner
        plain, _ = steps(SGD(0.5), [1.0], [[0.3]])
        scaled, _ = steps(SGD(0.5, loss_scale_factor=1024.0), [1.0], [[0.3]])
        np.testing.assert_array_equal(plain, scaled)

    def test_adafactor_keeps_rows_and_columns(self):
        optimizer = Adafactor()
        kinds = {"w": TensorType((5, 3, 4)), "b": TensorType((4,))}
        shapes = {name: kind.shape for name, (kind, _) in optimizer.states(kinds).items() if name.startswith("slots")}
        assert sorted(shapes.values()) == [(4,), (5, 3), (5, 4)]

    def test_accumulated_gradients_move_by_their_mean(self):
        """Between the updates nothing moves, neither does the clock of the bias correction."""
        slopes = np.array([[1.0], [2.0], [6.0], [3.0], [3.0], [0.0], [9.0]])
        values, state = steps(Adam(0.25, gradient_accumulation_steps=3, weight_decay=0.1), [1.0], slopes)
        plain, _ = steps(Adam(0.25, weight_decay=0.1), [1.0], [[3.0], [2.0]])
        np.testing.assert_array_equal(values[:, 0], [1, 1, *plain[[0, 0, 0], 0], *plain[[1, 1], 0]])
        assert state["slots/w/accumulated_gradient"] == 9.0

    def test_accumulated_gradients_are_clipped_as_one(self):
        values, _ = steps(SGD(1.0, clipvalue=1.0, gradient_accumulation_steps=2), [0.0], [[9.0], [-8.5]])
        np.testing.assert_allclose(values[:, 0], [0.0, -0.25])

    def test_moving_average(self):
        values, state = steps(SGD(1.0, use_ema=True, ema_momentum=0.75), [4.0], [[1.0], [2.0]])
        np.testing.assert_allclose(values[:, 0], [3.0, 1.0])
        np.testing.assert_allclose(state["slots/w/average"], [0.75 * 3 + 0.25 * 1])

    def test_moving_average_overwrites(self):
        optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=2)
        values, _ = steps(optimizer, [4.0], [[1.0], [2.0], [2.0]])
        np.testing.assert_allclose(values[:, 0], [3.0, 2.5, 0.5])

    def test_spellings(self):
        with pytest.warns(SpellingNotice, match="lr= is read as learning_rate="):
            assert Adam(lr=0.5).learning_rate == 0.5  # type: ignore[call-arg]
        with pytest.raises(ArgumentError, match="beta_1= and beta_2="):
            Adam(betas=(0.9, 0.99))  # type: ignore[call-arg]
        with pytest.raises(ArgumentError, match="epsilon="):
            RMSprop(eps=1e-8)  # type: ignore[call-arg]

    def test_names(self):
        assert optimizers.get("Adam") == Adam()
        assert optimizers.get("sgd") == SGD()
        assert optimizers.get(RMSprop) == RMSprop()
