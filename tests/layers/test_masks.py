"""Masks: which layers keep them and which end them, what they do to numbers, and how they reach losses and metrics."""

import copy
import dataclasses
import warnings

import numpy as np
import pytest
from tests.contracts.cases import LAYERS, LOSSES, METRICS

import thalweg
from thalweg import Input, Model, Sequential, layers, losses, metrics, ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.layers import Layer, eager
from thalweg.layers.masking import MaskNotice
from thalweg.layers.tracing import set_mask, tracing
from thalweg.metrics.metric import counting
from thalweg.ops.reference import on_arrays

RANDOM = np.random.default_rng(0)

IDS = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [4, 5, 6, 7], [0, 0, 0, 0]])
COUNTS = IDS != 0
SERIES = RANDOM.normal(size=(3, 4, 2)).astype(np.float32)
SERIES[0, 2:] = SERIES[1, 1] = 0  # two places and one that are left out
KNOWN = (SERIES != 0).any(-1)

KEEPS = [
    "activation",
    "activity_regularization",
    "alpha_dropout",
    "batch_normalization",
    "dense",
    "dropout",
    "elu",
    "gaussian_dropout",
    "gaussian_noise",
    "group_normalization",
    "identity",
    "layer_normalization",
    "leaky_re_lu",
    "normalization",
    "p_re_lu",
    "parametric_activation",
    "re_lu",
    "rescaling",
    "robust_scaling",
    "scale",
    "smooth_clipping",
    "spatial_dropout_1d",
    "spatial_dropout_2d",
    "spatial_dropout_3d",
    "time_distributed",
    "unit_normalization",
]
"""Layers whose result has the mask of the input."""
OWN = [
    "add",
    "average",
    "concatenate",
    "dot",
    "global_average_pooling1d",
    "masking",
    "maximum",
    "minimum",
    "model",
    "multiply",
    "operation",
    "softmax",
    "subtract",
]
"""Layers with a rule of their own, which have tests of their own."""


class Told(Layer):
    """1 where its input counts, 0 elsewhere; -1 for an input without a mask."""

    def call(self, x, mask=None):
        return ops.full(x.shape[:1], -1.0) if mask is None else ops.cast(mask, "float32")

    def compute_mask(self, inputs, mask=None):
        return None


def run(model, *data):
    model.executor = NumpyExecutor()
    return model.predict(list(data) if len(data) > 1 else data[0], verbose=0)


def told(symbol, *data):
    """The mask of a symbol of one or more Inputs."""
    inputs = []
    stack = [symbol]
    while stack:
        x = stack.pop()
        if x.call is None:
            inputs += [x] if x not in inputs else []
        else:
            stack += reversed(x.call.inputs)
    return run(Model(inputs if len(inputs) > 1 else inputs[0], Told()(symbol)), *data)


def masked(shape, dtype="float32", value=0.0):
    return layers.Masking(value)(Input(shape, dtype=dtype))


class TestEveryLayer:
    @pytest.mark.parametrize("name", sorted(LAYERS))
    def test_keeps_its_mask_or_ends_it_with_a_notice(self, name):
        make, shape, dtype = LAYERS[name]
        if name in OWN:
            assert make().supports_masking
            return
        x = masked(shape, dtype)
        if name in KEEPS:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                y = make()(x)
            assert y.mask == x.mask
            return
        with pytest.warns(MaskNotice, match="does not support masking"):
            y = make()(x)
        assert y.mask is None

    @pytest.mark.needs("keras")
    def test_as_in_keras(self, monkeypatch):
        """Whether a class supports masking, for all that Keras has."""
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        import keras

        differ = {}
        for name, (make, _, _) in LAYERS.items():
            layer = make()
            theirs = getattr(keras.layers, type(layer).__name__, None)
            if theirs is None:
                continue
            needed = [
                field.name
                for field in dataclasses.fields(layer)
                if field.init and field.default is field.default_factory is dataclasses.MISSING
            ]
            arguments = {key: getattr(layer, key) for key in needed}
            if "layer" in arguments:
                arguments["layer"] = keras.layers.Dense(2)
            made = theirs(**REQUIRED.get(name, arguments))
            if made.supports_masking != layer.supports_masking:
                differ[name] = made.supports_masking
        assert differ == {}


REQUIRED = {
    "discretization": {"num_bins": 3},
    "random_rotation": {"factor": 0.1},
    "random_zoom": {"height_factor": 0.1},
    "random_translation": {"height_factor": 0.1, "width_factor": 0.1},
    "random_brightness": {"factor": 0.1},
    "random_contrast": {"factor": 0.1},
}
"""What Keras's classes want that ours do not, or under another name."""


class TestMasking:
    def test_values(self):
        x = np.array([[[0, 0], [1, 0], [0, 2]]], np.float32)
        np.testing.assert_array_equal(told(masked((3, 2)), x), [[0, 1, 1]])
        np.testing.assert_array_equal(run(masking((3, 2)), x), x)

    def test_another_value(self):
        x = np.array([[[9, 9], [9, 1]]], np.float32)
        np.testing.assert_array_equal(run(masking((2, 2), 9.0), x), [[[0, 0], [9, 1]]])

    def test_whole_numbers_and_one_number_each(self):
        np.testing.assert_array_equal(told(masked((2, 1), "int32"), np.array([[[0], [4]]])), [[0, 1]])
        np.testing.assert_array_equal(told(masked((2,)), np.array([[0, 4], [0, 0]])), [1, 0])

    def test_embedding(self):
        x = Input((4,), dtype="int32")
        np.testing.assert_array_equal(told(layers.Embedding(8, 3, mask_zero=True)(x), IDS), COUNTS)
        assert layers.Embedding(8, 3)(x).mask is None

    def test_saved(self, tmp_path):
        model = Sequential([Input((None, 2)), layers.Masking(2.0), layers.GlobalAveragePooling1D()])
        model.save(tmp_path / "m.thalweg")
        again = thalweg.load_model(tmp_path / "m.thalweg")
        assert again.layers[0].mask_value == 2.0
        x = np.array([[[2, 2], [4, 6]]])
        for each in (again, copy.deepcopy(model)):
            np.testing.assert_array_equal(run(each, x), [[4, 6]])


def masking(shape, value=0.0):
    return Sequential([Input(shape), layers.Masking(value)])


class TestNumbers:
    """Of layers that ask for the mask."""

    @pytest.mark.parametrize("keepdims", [False, True])
    @pytest.mark.parametrize("first", [False, True])
    def test_global_average(self, keepdims, first):
        layer = layers.GlobalAveragePooling1D("channels_first" if first else None, keepdims)
        x, counts = Input((2, 4) if first else (4, 2)), Input((4,), dtype="bool")
        result = run(Model([x, counts], layer(x, mask=counts)), SERIES.transpose(0, 2, 1) if first else SERIES, KNOWN)
        expected = (SERIES * KNOWN[..., None]).sum(1) / KNOWN.sum(1)[:, None]
        expected = expected if not keepdims else expected[:, :, None] if first else expected[:, None]
        np.testing.assert_allclose(result, expected, rtol=1e-6)

    def test_an_average_has_no_mask(self):
        assert layers.GlobalAveragePooling1D()(masked((4, 2))).mask is None

    def test_the_average_of_nothing(self):
        model = Sequential([Input((4,)), layers.Embedding(8, 3, mask_zero=True), layers.GlobalAveragePooling1D()])
        np.testing.assert_array_equal(run(model, IDS)[3], [0, 0, 0])

    def test_batch_normalization(self):
        """In training by what counts alone: so do the moving ones follow."""
        layer = layers.BatchNormalization(momentum=0.0, epsilon=1e-12)
        model = Sequential([Input((4, 2)), layers.Masking(), layer])
        model.compile(thalweg.optimizers.SGD(0.0), "mse")
        model.executor = NumpyExecutor()
        model.train_on_batch(SERIES, np.zeros((3, 4, 2)))
        mean, variance = layer.get_weights()[2:]
        np.testing.assert_allclose(mean, SERIES[KNOWN].mean(0), rtol=1e-5)
        np.testing.assert_allclose(variance, SERIES[KNOWN].var(0), rtol=1e-5)

    def test_softmax(self):
        x, counts = Input((3,)), Input((3,), dtype="bool")
        model = Model([x, counts], layers.Softmax()(x, mask=counts))
        result = run(model, np.log([[1.0, 2, 3], [1, 2, 3]]), np.array([[True, False, True], [False] * 3]))
        np.testing.assert_allclose(result, [[0.25, 0, 0.75], [0, 0, 0]], rtol=1e-6)
        with pytest.raises(ShapeError, match="softmax"):
            layers.Softmax()(masked((4, 2)))

    def test_maximum_minimum_and_multiply(self):
        """Of the inputs only what counts takes part."""
        x, y = np.array([[[-2.0], [-3], [0], [0]]]), np.array([[[-5.0], [0], [-6], [0]]])
        for layer, expected in (
            (layers.Maximum(), [-2, -3, -6, 0]),
            (layers.Minimum(), [-5, -3, -6, 0]),
            (layers.Multiply(), [10, -3, -6, 0]),
            (layers.Add(), [-7, -3, -6, 0]),
        ):
            symbol = layer([masked((4, 1)), masked((4, 1))])
            np.testing.assert_array_equal(told(symbol, x, y), [[1, 1, 1, 0]])
            inputs = [s.call.inputs[0] for s in symbol.call.inputs]
            np.testing.assert_array_equal(run(Model(inputs, symbol), x, y)[0, :, 0], expected)

    def test_time_distributed(self):
        """The layer inside gets the mask of its part: here of (batch, parts, times)."""
        x = RANDOM.normal(size=(2, 3, 4, 1)).astype(np.float32)
        x[0, 1, 2:] = 0
        known = (x != 0).any(-1)
        model = Sequential(
            [
                Input((3, 4, 1)),
                layers.Masking(),
                layers.TimeDistributed(layers.GlobalAveragePooling1D()),
            ]
        )
        np.testing.assert_allclose(run(model, x)[..., 0], x.sum((2, 3)) / known.sum(2), rtol=1e-5)


class TestMerging:
    def test_one_without_a_mask(self):
        x, y = masked((4, 2)), Input((4, 2))
        for layer in (layers.Add(), layers.Subtract(), layers.Average(), layers.Maximum(), layers.Multiply()):
            assert layer([x, y]).mask is None
        assert layers.Dot(1)([x, masked((4, 2))]).mask is None

    def test_sizes_of_one(self):
        symbol = layers.Add()([masked((4, 2)), masked((1, 2))])
        one = np.array([[[0, 0]], [[0, 0]], [[1, 1]]])
        np.testing.assert_array_equal(told(symbol, SERIES, one), KNOWN | (one != 0).any(-1))

    @pytest.mark.parametrize(("axis", "place"), [(1, 1), (-1, 2), (2, 2)])
    def test_concatenate(self, axis, place):
        other = RANDOM.normal(size=SERIES.shape)
        other[:, 1:] = 0
        symbol = layers.Concatenate(axis)([masked((4, 2)), masked((4, 2))])
        known = [KNOWN, (other != 0).any(-1)]
        expected = np.concatenate(known, 1) if place == 1 else known[0] | known[1]
        np.testing.assert_array_equal(told(symbol, SERIES, other), expected)
        half = layers.Concatenate(axis)([masked((4, 2)), Input((4, 2))])
        expected = np.concatenate([KNOWN, np.ones_like(KNOWN)], 1) if place == 1 else np.ones_like(KNOWN)
        np.testing.assert_array_equal(told(half, SERIES, other), expected)


class TestFlow:
    def test_through_models(self):
        """Through a model inside, a Sequential without an Input, a class of models, and a layer of layers."""

        class Twice(Layer):
            supports_masking = True

            def __init__(self):
                super().__init__()
                self.inner = layers.Dense(2)

            def call(self, x):
                return self.inner(x) * 2.0

        class Body(Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(2)

            def call(self, x):
                return self.dense(x)

        x = Input((None,), dtype="int32")
        y = layers.Embedding(8, 3, mask_zero=True)(x)
        y = Sequential([Input((None, 3)), layers.Dense(2)])(y)
        y = Sequential([layers.Dense(2), layers.Activation("tanh")])(y)
        y = Body()(Twice()(y))
        np.testing.assert_array_equal(told(y, IDS), COUNTS)

    def test_operations_end_it_without_a_word(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (masked((4, 2)) + 1.0).mask is None

    def test_layers_inside_get_it(self):
        class Outer(Layer):
            def __init__(self):
                super().__init__()
                self.inner = layers.GlobalAveragePooling1D()

            def call(self, x):
                return self.inner(x)

            def compute_mask(self, inputs, mask=None):
                return None

        assert Outer().supports_masking
        model = Sequential([Input((4, 2)), layers.Masking(), Outer()])
        expected = (SERIES * KNOWN[..., None]).sum(1) / KNOWN.sum(1)[:, None]
        np.testing.assert_allclose(run(model, SERIES), expected, rtol=1e-6)

    def test_several_inputs_by_name(self):
        """The mask of the first one goes on; the others are asked for by their names, as in Keras."""

        class Two(Layer):
            supports_masking = True

            def call(self, query, value, value_mask=None):
                return query + ops.broadcast(ops.cast(value_mask, "float32"), query.shape, (0, 1))

        x, y = masked((4, 2)), masked((4, 2))
        symbol = Two()(x, y)
        assert symbol.mask == x.mask
        inputs = [x.call.inputs[0], y.call.inputs[0]]
        result = run(Model(inputs, symbol), SERIES, SERIES[::-1].copy())
        np.testing.assert_allclose(result, SERIES + KNOWN[::-1][..., None], rtol=1e-6)
        given = Input((4,), dtype="bool")
        model = Model([*inputs, given], Two()(x, y, value_mask=given))
        np.testing.assert_allclose(run(model, SERIES, SERIES, ~KNOWN), SERIES + ~KNOWN[..., None], rtol=1e-6)

    def test_nested_inputs(self):
        class Pair(Layer):
            supports_masking = True

            def call(self, inputs, mask=None):
                return {name: x * 2.0 for name, x in inputs.items()}

            def compute_mask(self, inputs, mask=None):
                return {"a": mask["b"], "b": None}

        made = Pair()({"a": Input((4, 2)), "b": masked((4, 2))})
        assert made["a"].mask is not None
        assert made["b"].mask is None

    def test_a_class_of_models_is_told(self):
        class Net(Model):
            def __init__(self):
                super().__init__()
                self.embedding = layers.Embedding(8, 3, mask_zero=True)
                self.told = Told()

            def call(self, x):
                y = self.embedding(x)
                mask = self.embedding.compute_mask(x)
                return self.told(y), ops.cast(mask, "float32")

        by_layer, by_hand = run(Net(), IDS)
        np.testing.assert_array_equal(by_layer, COUNTS)
        np.testing.assert_array_equal(by_hand, COUNTS)

    def test_given_and_kept(self, tmp_path):
        """A mask that is passed to a layer is a part of the model."""
        x = Input((4,), dtype="int32")
        embedding = layers.Embedding(8, 3)
        y = layers.GlobalAveragePooling1D()(embedding(x), mask=ops.not_equal(x, 0))
        model = Model(x, y)
        table = RANDOM.normal(size=(8, 3)).astype(np.float32)
        model.set_weights([table])
        model.save(tmp_path / "m.thalweg")
        expected = (table[IDS] * COUNTS[..., None]).sum(1) / np.maximum(COUNTS.sum(1), 1)[:, None]
        for each in (model, thalweg.load_model(tmp_path / "m.thalweg"), copy.deepcopy(model)):
            np.testing.assert_allclose(run(each, IDS), expected, rtol=1e-5, atol=1e-7)
        for wrong in (Input((3,), dtype="bool"), Input((4, 3, 2), dtype="bool"), [ops.not_equal(x, 0)] * 2):
            with pytest.raises(ShapeError, match="the mask does not fit"):
                layers.GlobalAveragePooling1D()(embedding(x), mask=wrong)

    def test_a_mask_of_numbers(self):
        x, counts = Input((4, 2)), Input((4,))
        model = Model([x, counts], layers.GlobalAveragePooling1D()(x, mask=counts))
        np.testing.assert_allclose(run(model, SERIES, np.eye(4)[:3]), SERIES[[0, 1, 2], [0, 1, 2]], rtol=1e-6)


class TestOnArrays:
    def test_from_layer_to_layer(self):
        """As in Keras: the mask goes with the array."""
        words = layers.Embedding(8, 3, mask_zero=True)
        vectors = words(IDS)
        table = words.get_weights()[0]
        mean = layers.GlobalAveragePooling1D()(layers.Rescaling(2.0)(vectors))
        expected = 2 * (table[IDS] * COUNTS[..., None]).sum(1) / np.maximum(COUNTS.sum(1), 1)[:, None]
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-7)
        plain = layers.GlobalAveragePooling1D()(vectors * 1.0)
        np.testing.assert_allclose(plain, table[IDS].mean(1), rtol=1e-5)

    def test_nothing_is_kept(self):
        before = len(eager._masks)
        vectors = layers.Masking()(SERIES)
        assert eager.mask_of_array(vectors).tolist() == KNOWN.tolist()
        del vectors
        assert len(eager._masks) == before

    def test_compute_mask(self):
        np.testing.assert_array_equal(layers.Embedding(8, 3, mask_zero=True).compute_mask(IDS), COUNTS)
        np.testing.assert_array_equal(layers.Masking().compute_mask(SERIES), KNOWN)


class TestGuide:
    """The layers of Keras's guide to masking, written alike."""

    def test_layers_of_ones_own(self):
        class TemporalSplit(Layer):
            def call(self, inputs):
                return ops.split(inputs, 2, axis=1)

            def compute_mask(self, inputs, mask=None):
                return None if mask is None else ops.split(mask, 2, axis=1)

        class TemporalSoftmax(Layer):
            def __init__(self, **options):
                super().__init__(**options)
                self.supports_masking = True  # type: ignore[misc]

            def call(self, inputs, mask=None):
                assert mask is not None
                shares = ops.exp(inputs) * ops.expand_dims(ops.cast(mask, "float32"), -1)
                return shares / ops.sum(shares, axis=1, keepdims=True)

        x = Input((None,), dtype="int32")
        y = TemporalSoftmax()(layers.Dense(1)(layers.Embedding(8, 3, mask_zero=True)(x)))
        shares = run(Model(x, y), IDS[:3])
        np.testing.assert_allclose(shares.sum(1), np.ones((3, 1)), rtol=1e-6)
        assert not shares[~COUNTS[:3]].any()
        first, second = TemporalSplit()(masked((4, 2)))
        np.testing.assert_array_equal(told(first, SERIES), KNOWN[:, :2])
        np.testing.assert_array_equal(told(second, SERIES), KNOWN[:, 2:])

    def test_lambda(self):
        """With a function that makes the mask, and one that asks for it."""
        doubled = layers.Lambda(lambda x: x * 2.0, mask=lambda inputs, mask: mask)(masked((4, 2)))
        np.testing.assert_array_equal(told(doubled, SERIES), KNOWN)
        counted = layers.Lambda(lambda x, mask: ops.reduce_sum(ops.cast(mask, "float32"), 1))
        with pytest.warns(MaskNotice):
            numbers = counted(masked((4, 2)))
        np.testing.assert_array_equal(run(Model(numbers.call.inputs[0].call.inputs[0], numbers), SERIES), KNOWN.sum(1))

    def test_a_model_with_a_mask(self):
        inner = Sequential([Input((4, 2)), layers.GlobalAveragePooling1D()])
        x, counts = Input((4, 2)), Input((4,), dtype="bool")
        model = Model([x, counts], inner(x, mask=counts))
        expected = (SERIES * KNOWN[..., None]).sum(1) / KNOWN.sum(1)[:, None]
        np.testing.assert_allclose(run(model, SERIES, KNOWN), expected, rtol=1e-5)
        with pytest.raises(ArgumentError, match="a mask for arrays"):
            inner(SERIES, mask=KNOWN)


def tagger(loss="mse", outputs=1, **options):
    """A number, or shares, for each place of texts."""
    thalweg.utils.set_random_seed(2)
    last = layers.Dense(outputs, activation="softmax" if outputs > 1 else None)
    model = Sequential([Input((None,), dtype="int32"), layers.Embedding(8, 3, mask_zero=True), last])
    model.compile(thalweg.optimizers.SGD(0.1), loss, **options)
    model.executor = NumpyExecutor()
    return model


class TestLosses:
    TARGETS = RANDOM.normal(size=(4, 4, 1)).astype(np.float32)

    def error(self, model):
        return np.square(model.predict(IDS, verbose=0) - self.TARGETS)[..., 0]

    def test_the_mean_of_what_counts(self):
        model = tagger(metrics=["mae"], weighted_metrics=["mse"])
        error = self.error(model)[COUNTS]
        expected = [error.mean(), np.sqrt(error).mean(), error.mean()]
        np.testing.assert_allclose(model.evaluate(IDS, self.TARGETS, verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(model.test_on_batch(IDS, self.TARGETS), expected, rtol=1e-5)
        np.testing.assert_allclose(model.train_on_batch(IDS, self.TARGETS), expected, rtol=1e-5)

    def test_what_is_left_out_has_no_gradient(self):
        model = tagger()
        before = model.get_weights()[0]
        model.train_on_batch(IDS, self.TARGETS)
        moved = (model.get_weights()[0] != before).any(1)
        np.testing.assert_array_equal(moved, [False, *[True] * 7])
        assert thalweg.check_gradients(model, IDS, self.TARGETS, directions=1).passed

    def test_weights_of_samples(self):
        """Keras's sum over the number of what counts, not over the sum of weights."""
        model = tagger(weighted_metrics=["mse"])
        weights = np.array([1.0, 2.0, 0.5, 3.0])
        error = self.error(model) * COUNTS * weights[:, None]
        expected = [error.sum() / COUNTS.sum(), error.sum() / (COUNTS * weights[:, None]).sum()]
        given = {"sample_weight": weights}
        np.testing.assert_allclose(model.evaluate(IDS, self.TARGETS, verbose=0, **given), expected, rtol=1e-5)
        np.testing.assert_allclose(model.train_on_batch(IDS, self.TARGETS, **given), expected, rtol=1e-5)

    def test_weights_of_places(self):
        """Of two lengths, in pieces and in one batch."""
        model = tagger(weighted_metrics=["mse"])
        for ids, targets in ((IDS, self.TARGETS), (IDS[:, :2], self.TARGETS[:, :2])):
            weights = RANDOM.random(ids.shape)
            error = np.square(model.predict(ids, verbose=0) - targets)[..., 0] * (ids != 0) * weights
            expected = [error.sum() / (ids != 0).sum(), error.sum() / ((ids != 0) * weights).sum()]
            given = {"sample_weight": weights}
            np.testing.assert_allclose(model.evaluate(ids, targets, verbose=0, **given), expected, rtol=1e-5)
            np.testing.assert_allclose(model.train_on_batch(ids, targets, **given), expected, rtol=1e-5)

    @pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
    def test_reductions(self, reduction):
        model = tagger(losses.MeanSquaredError(reduction=reduction))
        error = self.error(model)[COUNTS]
        expected = error.sum() if reduction == "sum" else error.mean()
        np.testing.assert_allclose(model.evaluate(IDS, self.TARGETS, verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(model.train_on_batch(IDS, self.TARGETS), expected, rtol=1e-5)

    def test_many_rows_in_pieces(self):
        model = tagger(metrics=["mae"])
        many, targets = np.tile(IDS, (40, 1)), np.tile(self.TARGETS, (40, 1, 1))
        np.testing.assert_allclose(
            model.evaluate(many, targets, verbose=0), model.evaluate(IDS, self.TARGETS, verbose=0), rtol=1e-5
        )
        history = model.fit(many, targets, batch_size=48, validation_data=(IDS, self.TARGETS), verbose=0).history
        assert history["val_loss"] == pytest.approx([model.evaluate(IDS, self.TARGETS, verbose=0)[0]])

    def test_classes(self):
        """Accuracy, crossentropy and counts of classes of what counts; class numbers elsewhere do not matter."""
        model = tagger(
            "sparse_categorical_crossentropy",
            3,
            metrics=["accuracy", metrics.ConfusionMatrix(), metrics.F1Score(average="micro")],
        )
        classes = RANDOM.integers(0, 3, IDS.shape)
        shares = model.predict(IDS, verbose=0)
        true, said = classes[COUNTS], shares.argmax(-1)[COUNTS]
        loss, accuracy, matrix, score = model.evaluate(IDS, classes, verbose=0)
        np.testing.assert_allclose(loss, -np.log(shares[COUNTS][range(7), true]).mean(), rtol=1e-5)
        assert accuracy == score == pytest.approx((true == said).mean())
        expected = np.zeros((3, 3))
        np.add.at(expected, (true, said), 1)
        np.testing.assert_array_equal(matrix, expected)

    def test_counts_and_areas(self):
        x = Input((4,), dtype="int32")
        y = layers.Dense(1, activation="sigmoid")(layers.Embedding(8, 3, mask_zero=True)(x))
        model = Model(x, y)
        model.compile("sgd", "binary_crossentropy", metrics=[metrics.Precision(), metrics.Recall(), metrics.AUC()])
        model.executor = NumpyExecutor()
        true = RANDOM.integers(0, 2, (*IDS.shape, 1))
        p = model.predict(IDS, verbose=0)
        _, *scores = model.evaluate(IDS, true, verbose=0)
        alone = [metric(true[COUNTS], p[COUNTS]) for metric in (metrics.Precision(), metrics.Recall(), metrics.AUC())]
        np.testing.assert_allclose(scores, alone, rtol=1e-6)

    def test_overlap(self):
        x = Input((4,), dtype="int32")
        model = Model(x, layers.Dense(1, activation="sigmoid")(layers.Embedding(8, 3, mask_zero=True)(x)))
        model.compile("sgd", losses.Dice())
        model.executor = NumpyExecutor()
        true = RANDOM.integers(0, 2, (*IDS.shape, 1)).astype(np.float32)
        p = model.predict(IDS, verbose=0)
        expected = losses.Dice()(true[COUNTS][None], p[COUNTS][None])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert model.evaluate(IDS, true, verbose=0) == pytest.approx(expected, rel=1e-5)
            assert model.train_on_batch(IDS, true) == pytest.approx(expected, rel=1e-5)

    def test_a_loss_of_ones_own_that_mixes_places(self):
        def worst(y_true, y_pred):
            return ops.reduce_max(ops.square(y_true - y_pred), (1, 2))

        with pytest.warns(MaskNotice, match="worst"):
            model = tagger(worst)
        with pytest.warns(MaskNotice):
            value = model.test_on_batch(IDS, self.TARGETS)
        assert value == pytest.approx(self.error(model).max(1).mean(), rel=1e-5)

    def test_hard_examples(self):
        """Of 7 places the hardest: what is left out is no candidate, however wrong."""
        targets = self.TARGETS.copy()
        targets[~COUNTS] = 100.0
        model = tagger(losses.OnlineHardExamples("mse", keep=1 / 16))
        error = np.square(model.predict(IDS, verbose=0) - targets)[..., 0]
        assert model.train_on_batch(IDS, targets) == pytest.approx(error[COUNTS].max(), rel=1e-5)

    def test_nothing_counts(self):
        model = tagger()
        assert model.evaluate(IDS[3:], self.TARGETS[3:], verbose=0) == 0.0
        assert model.train_on_batch(IDS[3:], self.TARGETS[3:]) == 0.0

    def test_no_masks_no_nodes(self):
        """The step of a model without masks is the one that it was."""
        model = Sequential([Input((4,), dtype="int32"), layers.Embedding(8, 3), layers.GlobalAveragePooling1D()])
        model.compile("sgd", "mse")
        assert "not_equal" not in model.explain("graph")


class TestEveryLossAndMetric:
    """What a mask leaves out is as if it were not there: here a second place in each row, of another row's numbers."""

    def values(self, function, y_true, y_pred):
        """Of each row alone, and with a second place that is left out."""
        y_true = np.asarray(y_true)
        y_true = y_true.astype(np.int32 if y_true.dtype.kind in "iu" else np.float32)
        y_pred = np.asarray(y_pred, np.float32)

        def traced(true, pred, mask=None):
            with tracing():
                set_mask(pred, mask)
                return function(true, pred)

        known = np.tile([True, False], (len(y_true), 1))
        both = [np.stack([values, values[::-1]], 1) for values in (y_true, y_pred)]
        return on_arrays(traced, y_true[:, None], y_pred[:, None]), on_arrays(traced, *both, known)

    @pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"circle", "ctc"}))  # of vectors, and of whole sequences
    def test_losses(self, name):
        make, y_true, y_pred, *_ = LOSSES[name]
        alone, masked = self.values(lambda true, pred: {"loss": make()(true, pred)}, y_true, y_pred)
        np.testing.assert_allclose(masked["loss"], alone["loss"], rtol=1e-4)

    @pytest.mark.parametrize("name", sorted(METRICS))
    def test_metrics(self, name):
        make, y_true, y_pred, *_ = METRICS[name]
        each = self.values(lambda true, pred: dict(make().sums(true, pred, counting(None, pred))), y_true, y_pred)
        numbers = [{key: value if value.ndim else float(value) for key, value in sums.items()} for sums in each]
        alone, masked = (make().result(**sums) for sums in numbers)
        np.testing.assert_allclose(masked, alone, rtol=1e-4)


@pytest.mark.needs("keras")
@pytest.mark.filterwarnings("ignore")
class TestAgainstKeras:
    @pytest.fixture(autouse=True)
    def keras(self, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        return pytest.importorskip("keras")

    @pytest.mark.parametrize("weighted", ["", "samples", "places"])
    def test_a_step(self, keras, weighted):
        """Loss, metrics and weights after a step of a network in which masks are merged."""

        def network(library):
            kit, x = library.layers, library.Input((4,), dtype="int32")
            words = kit.Embedding(8, 3, mask_zero=True)(x)
            y = kit.BatchNormalization()(kit.Dense(3, activation="tanh")(words))
            y = kit.Maximum()([y, words])
            y = kit.TimeDistributed(kit.Dense(2, activation="tanh"))(kit.Multiply()([y, words]))
            y = kit.Concatenate()([y, words])
            places = kit.Dense(2, activation="softmax", name="places")(y)
            mean = kit.Dense(1, name="mean")(kit.GlobalAveragePooling1D()(y))
            return library.Model(x, [places, mean])

        ours, theirs = network(thalweg), network(keras)
        ours.executor = NumpyExecutor()
        ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
        rows = IDS[:3]  # the mean of nothing is NaN to Keras
        y = [RANDOM.integers(0, 2, (3, 4)), RANDOM.normal(size=(3, 1)).astype(np.float32)]
        of_places = RANDOM.random((3, 4)) if weighted == "places" else np.array([[1.0], [2.0], [0.5]])
        weight = [of_places, np.array([1.0, 2.0, 0.5])] if weighted else None
        results = []
        for model, library in ((ours, thalweg), (theirs, keras)):
            model.compile(
                library.optimizers.SGD(0.5),
                ["sparse_categorical_crossentropy", "mse"],
                metrics=[["accuracy"], ["mae"]],
                **({} if library is thalweg else {"run_eagerly": True, "jit_compile": False}),
            )
            measured = model.test_on_batch(rows, y, sample_weight=weight, return_dict=True)
            trained = model.train_on_batch(rows, y, sample_weight=weight, return_dict=True)
            results.append(
                [
                    *(
                        float(measured[key])
                        for key in ("loss", "places_loss", "mean_loss", "places_accuracy", "mean_mae")
                    ),
                    *(
                        float(trained[key]) for key in ("loss", "places_loss", "mean_loss")
                    ),  # JAX loses masks of metrics
                ]
            )
        np.testing.assert_allclose(*results, rtol=1e-4)
        for left, right in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)
