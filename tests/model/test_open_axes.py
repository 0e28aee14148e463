"""Axes that stay open until data come: a model with them is, for data of a shape, the model of just this shape."""

import copy
import warnings

import numpy as np
import pytest
from tests.contracts.cases import LAYERS

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.errors import GraphError, ShapeError
from thalweg.evaluation import cross_validate
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.types import OpenSize
from thalweg.layers import Layer
from thalweg.model import forms
from thalweg.trees import flatten

RANDOM = np.random.default_rng(0)


def images(rows, height, width, channels=2):
    return RANDOM.normal(size=(rows, height, width, channels)).astype(np.float32)


def convolutions(places=(None, None), optimizer="sgd", executor=None):
    """A small network for images of any size, or of a given one, with the same weights."""
    thalweg.utils.set_random_seed(3)
    model = Sequential(
        [
            Input((*places, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.executor = executor or NumpyExecutor()
    return model


class TestShapes:
    @pytest.mark.parametrize(
        ("layer", "given", "wanted"),
        [
            (layers.Dense(3), (None, 4), (None, 3)),
            (layers.Conv1D(3, 2, strides=2), (None, 4), (None, 3)),
            (layers.Conv2D(3, 3), (None, 10, 4), (None, 8, 3)),
            (layers.Conv2D(3, 3, data_format="channels_first"), (4, None, None), (3, None, None)),
            (layers.Conv2DTranspose(3, 3, 2), (None, None, 4), (None, None, 3)),
            (layers.MaxPooling2D(), (None, None, 4), (None, None, 4)),
            (layers.GlobalAveragePooling2D(), (None, None, 4), (4,)),
            (layers.GlobalMaxPooling1D(), (None, 4), (4,)),
            (layers.Embedding(5, 3), (None,), (None, 3)),
            (layers.Flatten(), (None, 4), (None,)),
            (layers.Reshape((-1, 4)), (None,), (None, 4)),
            (layers.Permute((2, 1)), (None, 4), (4, None)),
            (layers.RepeatVector(3), (None,), (3, None)),
            (layers.UpSampling2D(2), (None, 5, 4), (None, 10, 4)),
            (layers.Cropping1D((1, 2)), (None, 4), (None, 4)),
            (layers.ZeroPadding2D(1), (None, 5, 4), (None, 7, 4)),
            (layers.BatchNormalization(), (None, 4), (None, 4)),
            (layers.LayerNormalization(), (None, 4), (None, 4)),
            (layers.PReLU(shared_axes=1), (None, 4), (None, 4)),
            (layers.TimeDistributed(layers.Dense(3)), (None, 4), (None, 3)),
            (layers.TimeDistributed(layers.GlobalAveragePooling1D()), (5, None, 4), (5, 4)),
            (layers.Dropout(0.5), (None,), (None,)),
            (layers.RandomFlip(), (None, None, 3), (None, None, 3)),
            (layers.CategoryEncoding(4, "one_hot"), (None,), (None, 4)),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Layer) else None,
    )
    def test_of_one_input(self, layer, given, wanted):
        symbol = layer(Input(given))
        assert symbol.shape == (None, *wanted)
        assert layer.output_shape == (None, *wanted)

    def test_of_several_inputs(self):
        x, y = Input((None, 4)), Input((None, 4))
        assert layers.Add()([x, y]).shape == (None, None, 4)
        assert layers.Concatenate(1)([x, y]).shape == (None, None, 4)
        assert layers.Dot(2)([x, y]).shape == (None, None, None)
        assert layers.Dot(1)([x, y]).shape == (None, 4, 4)
        assert (x + Input((1, 4))).shape == (None, None, 4)
        assert (x[:, 1:, :2]).shape == (None, None, 2)

    def test_a_size_that_is_the_same_for_both_sizes_that_are_tried(self):
        assert ops.reduce_mean(Input((None, 4)), 2).shape == (None, None)
        assert Input((None, 4))[:, :3].shape == (None, 3, 4)

    def test_unet(self):
        """Halved and doubled as often as in U-Net: both sizes that are tried come back to what they were."""
        x = Input((None, None, 1))
        kept, y = [], x
        for _ in range(5):
            kept.append(y)
            y = layers.MaxPooling2D()(y)
        for there in reversed(kept):
            y = layers.Concatenate()([layers.UpSampling2D()(y), there])
        assert y.shape == (None, None, None, 6)

    def test_older_spelling(self):
        with pytest.warns(UserWarning, match="input_shape"):
            model = Sequential([layers.Dense(2, input_shape=(None, 3))])
        assert model.output_shape == (None, None, 2)

    def test_build(self):
        model = Sequential([layers.Conv1D(2, 3), layers.GlobalMaxPooling1D()])
        model.build((None, None, 3))
        assert model.predict(np.ones((2, 5, 3)), verbose=0).shape == (2, 2)

    def test_arithmetic_with_open_sizes(self):
        n = OpenSize(960)
        for result in (n + 1, 1 + n, n - 1, 1 - n, 2 * n, n // 2, -(-n // 2), n % 7, np.prod([3]).item() * n):
            assert type(result) is OpenSize
        assert type(n > 3) is bool


class Positions(Layer):
    """A weight for each place, of which it uses as many as there are."""

    def build(self, x):
        self.table = self.parameter("table", (x.shape[1], x.shape[2]))

    def call(self, x):
        return x + self.table.node[: x.shape[1]]


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "shape"),
        [
            (lambda: layers.Dense(3), (None,)),
            (lambda: layers.Conv2D(3, 3), (8, 8, None)),
            (lambda: layers.LayerNormalization(), (4, None)),
            (lambda: layers.BatchNormalization(), (None,)),
            (lambda: layers.PReLU(), (None, 4)),
            (lambda: Positions(), (None, 4)),
            (lambda: layers.Normalization(), (None,)),
            (lambda: layers.TimeDistributed(layers.Dense(2)), (4, None)),
        ],
    )
    def test_a_weight_whose_shape_depends_on_data(self, make, shape):
        with pytest.raises(ShapeError, match="depends on an axis that is open") as caught:
            make()(Input(shape))
        assert "None" in caught.value.got
        assert caught.value.layer

    def test_flatten_before_dense(self):
        with pytest.raises(ShapeError, match="'kernel'") as caught:
            layers.Dense(3)(layers.Flatten()(Input((None, 4))))
        assert "input (None, 4) -> flatten (None,)" in str(caught.value)

    def test_what_does_not_fit_the_sizes_that_are_tried(self):
        with pytest.raises(ShapeError, match="where 960 and 1920 are tried"):
            layers.Reshape((-1, 7))(Input((None,)))

    def test_a_rank_that_depends_on_data(self):
        class Odd(Layer):
            def call(self, x):
                return x if x.shape[1] > 1000 else x[:, 0]

        with pytest.raises(ShapeError, match="how many axes"):
            Odd()(Input((None,)))

    @pytest.mark.parametrize("shape", [(2, 3), (2, 5, 5, 3), (2, 5, 5), (2, 0, 5, 2)])
    def test_data_that_do_not_fit(self, shape):
        with pytest.raises(ShapeError) as caught:
            convolutions().predict(np.ones(shape), verbose=0)
        assert "(samples, None, None, 2)" in str(caught.value)

    def test_data_too_small_for_a_window(self):
        model = Sequential([Input((None, 2)), layers.Conv1D(1, 3)])
        with pytest.raises(ShapeError, match="window"):
            model.predict(np.ones((2, 2, 2)), verbose=0)
        assert model.predict(np.ones((2, 3, 2)), verbose=0).shape == (2, 1, 1)

    def test_inputs_that_turn_out_to_differ(self):
        x, y = Input((None, 2)), Input((None, 2))
        model = Model([x, y], layers.Add()([x, y]))
        model.executor = NumpyExecutor()
        assert model.predict([np.ones((1, 3, 2)), np.ones((1, 3, 2))], verbose=0).shape == (1, 3, 2)
        with pytest.raises(ShapeError, match="add"):
            model.predict([np.ones((1, 3, 2)), np.ones((1, 4, 2))], verbose=0)

    def test_explained_before_data(self):
        model = convolutions()
        with pytest.raises(GraphError, match="open axes"):
            model.explain()
        model.predict(images(2, 6, 5), verbose=0)
        assert "float32[32,6,5,2]" in model.explain()


class TestNumbers:
    @pytest.mark.parametrize("kind", [NativeExecutor, NumpyExecutor])
    def test_those_of_the_model_of_this_shape(self, kind):
        """In fit, evaluate and predict, in turns: the open model is trained on two shapes, and so are two closed ones
        which get each other's weights.
        """
        model = convolutions(executor=kind())
        sizes = [(6, 4), (4, 8)] if kind is NumpyExecutor else [(6, 4)]
        for places in sizes:
            x, y = images(40, *places), RANDOM.integers(0, 2, 40)
            closed = convolutions(places, executor=kind())
            closed.set_weights(model.get_weights())
            for name, _ in closed.state.types().items():
                if name.startswith(("random/", "position/")) and name in model.state:
                    closed.state.write(name, model.state.read(name))
            ours, theirs = (each.fit(x, y, epochs=2, verbose=0).history for each in (model, closed))
            assert ours == theirs
            for left, right in zip(model.get_weights(), closed.get_weights(), strict=True):
                np.testing.assert_array_equal(left, right)
            assert model.evaluate(x, y, verbose=0) == closed.evaluate(x, y, verbose=0)
            for rows in (1, 3, 40):
                np.testing.assert_array_equal(model.predict(x[:rows], verbose=0), closed.predict(x[:rows], verbose=0))

    def test_one_batch_after_the_other(self):
        """A mean over places and a Dense(1) by hand: batches of 2, 3 and 5 places."""
        model = Sequential([Input((None, 1)), layers.GlobalAveragePooling1D(), layers.Dense(1, use_bias=False)])
        model.compile(thalweg.optimizers.SGD(0.1, momentum=0.5), "mse")
        model.executor = NumpyExecutor()
        model.set_weights([np.ones((1, 1))])
        weight, velocity = 1.0, 0.0
        for places in (2, 3, 2, 5):
            x, y = RANDOM.normal(size=(4, places, 1)), RANDOM.normal(size=(4, 1))
            mean = x.mean(1)
            loss = model.train_on_batch(x, y)
            np.testing.assert_allclose(loss, np.mean((weight * mean - y) ** 2), rtol=1e-5)
            velocity = 0.5 * velocity - 0.1 * np.mean(2 * mean * (weight * mean - y))
            weight += velocity
        np.testing.assert_allclose(model.get_weights()[0], [[weight]], rtol=1e-5)
        assert len(model.weights) == 1

    def test_validation_of_another_shape(self):
        model = convolutions()
        x, y = images(8, 6, 4), RANDOM.integers(0, 2, 8)
        x_val, y_val = images(6, 4, 4), RANDOM.integers(0, 2, 6)
        history = model.fit(x, y, epochs=2, validation_data=(x_val, y_val), verbose=0).history
        np.testing.assert_allclose(
            [history["val_loss"][-1], history["val_accuracy"][-1]], model.evaluate(x_val, y_val, verbose=0), rtol=1e-6
        )

    def test_targets_of_the_shape_of_the_outputs(self):
        """A number for each place; the loss is chosen by targets of the actual length."""
        model = Sequential([Input((None, 3)), layers.Dense(4)])
        model.compile("sgd", "auto", metrics=["accuracy"])
        model.executor = NumpyExecutor()
        for places in (3, 5):
            x = RANDOM.normal(size=(6, places, 3))
            model.train_on_batch(x, RANDOM.integers(0, 4, (6, places)))
            with pytest.raises(ShapeError, match="targets"):
                model.train_on_batch(x, RANDOM.integers(0, 4, (6, places + 1)))
        assert "sparse" in str(model.loss_choice)

    def test_sums_whose_shape_is_open(self):
        """R2 for each of as many outputs as there are places, for two shapes in turns."""
        model = Sequential([Input((None,)), layers.Rescaling(0.5)])
        model.compile("sgd", "mse", metrics=[thalweg.metrics.R2Score(class_aggregation=None)])
        model.executor = NumpyExecutor()
        for places in (3, 5, 3):
            x = RANDOM.normal(size=(20, places))
            _, scores = model.evaluate(x, x, verbose=0)
            expected = 1 - np.sum((x / 2) ** 2, 0) / np.sum((x - x.mean(0)) ** 2, 0)
            np.testing.assert_allclose(scores, expected, rtol=1e-5)

    @pytest.mark.needs("keras")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras's own conversions
    def test_against_keras(self, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        import keras

        x = keras.Input((None, None, 2))
        y = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(3, 3, padding="same", activation="relu")(x))
        theirs = keras.Model(x, keras.layers.Dense(2)(y))
        x = Input((None, None, 2))
        y = layers.GlobalMaxPooling2D()(layers.Conv2D(3, 3, padding="same", activation="relu")(x))
        ours = Model(x, layers.Dense(2)(y))
        ours.executor = NumpyExecutor()
        ours.set_weights(theirs.get_weights())
        for model in (ours, theirs):
            model.compile("sgd", "mse")
        for places in ((5, 4), (3, 7)):
            data, targets = images(8, *places), RANDOM.normal(size=(8, 2)).astype(np.float32)
            losses = [model.train_on_batch(data, targets) for model in (ours, theirs)]
            np.testing.assert_allclose(*losses, rtol=1e-5)
            np.testing.assert_allclose(ours.predict(data, verbose=0), theirs.predict(data, verbose=0), rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # notices about masks and spellings are no matter here
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_layer(name):
    """All axes but the last are open, where the layer can have them so: the numbers are those of the closed layer."""
    make, shape, dtype = LAYERS[name]
    shapes = shape if isinstance(shape, list) else [shape]

    def model(sizes):
        thalweg.utils.set_random_seed(1)
        inputs = [Input(size, dtype=dtype) for size in sizes]
        made = Model(inputs, make()(inputs if len(inputs) > 1 else inputs[0]))
        made.executor = NumpyExecutor()
        return made

    if name in (
        "conv3d",
        "dot",
        "time_distributed",
    ):  # made for channels first, for sizes that fit, for parts of a size
        with pytest.raises(ShapeError, match="layer '"):
            model([(*(None if n > 1 else n for n in size[:-1]), size[-1]) for size in shapes])
        return
    opened = model([(*(None if n > 1 else n for n in size[:-1]), size[-1]) for size in shapes])
    grown = [(*(n + 2 if n > 1 else n for n in size[:-1]), size[-1]) for size in shapes]
    for sizes in (shapes, grown):
        closed = model(sizes)
        closed.set_weights(opened.get_weights())
        data = [RANDOM.integers(0, 5, (3, *size)).astype(dtype) for size in sizes]
        given = data if len(data) > 1 else data[0]
        ours, theirs = (flatten(each.predict(given, verbose=0))[0] for each in (opened, closed))
        for left, right in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(left, right)


class TestModels:
    def test_inside_of_each_other(self):
        """An open Sequential, a Sequential without an Input and a class of models in an open model; shared, too."""

        class Mean(Model):
            def call(self, x):
                return ops.reduce_mean(x, 1)

        encoder = Sequential([Input((None, 3)), layers.Conv1D(4, 3, padding="same")], name="encoder")
        late = Sequential([layers.Dense(2)], name="late")
        left, right = Input((None, 3)), Input((None, 3))
        parts = [Mean()(late(encoder(x))) for x in (left, right)]
        model = Model([left, right], layers.Subtract()(parts))
        model.executor = NumpyExecutor()
        assert encoder.output_shape == (None, None, 4)
        assert late.layers[0].output_shape == (None, None, 2)
        x = RANDOM.normal(size=(3, 5, 3))
        np.testing.assert_allclose(model.predict([x, x], verbose=0), np.zeros((3, 2)), atol=1e-6)
        other = RANDOM.normal(size=(3, 7, 3))
        assert model.predict([x, other], verbose=0).shape == (3, 2)

    def test_embedded_places(self):
        """As in Keras's examples: an embedding of as many places as there are, looked up by ``ops.arange``."""

        class TokensAndPlaces(Layer):
            def __init__(self):
                super().__init__()
                self.tokens, self.places = layers.Embedding(9, 4), layers.Embedding(20, 4)

            def call(self, x):
                return self.tokens(x) + self.places(ops.arange(0, ops.shape(x)[-1], 1))

        x = Input((None,), dtype="int32")
        model = Model(x, TokensAndPlaces()(x))
        model.executor = NumpyExecutor()
        tokens, places = model.get_weights()
        for length in (5, 20):
            ids = RANDOM.integers(0, 9, (3, length))
            np.testing.assert_allclose(model.predict(ids, verbose=0), tokens[ids] + places[:length], rtol=1e-6)

    def test_a_class_of_models_built_open(self):
        class Net(Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(2)

            def call(self, x):
                return ops.reduce_max(self.dense(x), 1)

        model = Net()
        model.build((None, None, 3))
        model.executor = NumpyExecutor()
        for places in (2, 5):
            assert model.predict(np.ones((4, places, 3)), verbose=0).shape == (4, 2)

    def test_files_copies_and_summaries(self, tmp_path, capsys):
        model = convolutions()
        x = images(3, 5, 4)
        model.fit(x, np.zeros(3), verbose=0)
        model.save(tmp_path / "open.thalweg")
        for other in (thalweg.load_model(tmp_path / "open.thalweg"), copy.deepcopy(model)):
            other.executor = NumpyExecutor()
            assert other.input_shape == (None, None, None, 2)
            np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
            assert other.evaluate(images(2, 8, 8), np.zeros(2), verbose=0)
        capsys.readouterr()
        model.summary()
        assert "(None, None, None, 3)" in capsys.readouterr().out

    def test_what_looks_inside(self):
        thalweg.utils.set_random_seed(0)  # where no kink of a relu is near
        model = convolutions()
        x = np.random.default_rng(0).normal(size=(6, 4, 5, 2)).astype(np.float32)
        y = np.arange(6) % 2
        assert thalweg.check_gradients(model, x, y, directions=1).passed
        inputs, targets = thalweg.numdiff.random_data(model, 4)
        assert model.train_on_batch(inputs, targets)
        assert thalweg.visualization.activations(model, x, "conv2d").shape == (6, 4, 5, 3)
        assert thalweg.visualization.grad_cam(model, x).shape == (6, 4, 5)

    def test_many_at_once(self):
        x, y = images(12, 4, 4), np.arange(12) % 2
        folds = cross_validate(lambda: convolutions(), x, y, folds=2, epochs=1, verbose=0)
        assert folds.predictions.shape == (12, 2)

    def test_a_mapped_file(self, tmp_path):
        x = images(6, 4, 5).astype(np.float64)
        np.save(tmp_path / "x.npy", x)
        model = convolutions()
        mapped = model.predict(np.load(tmp_path / "x.npy", mmap_mode="r"), verbose=0)
        np.testing.assert_array_equal(mapped, model.predict(x, verbose=0))


class TestForms:
    def test_those_used_last_are_kept(self, monkeypatch):
        monkeypatch.setattr(forms, "KEPT", 2)
        model = Sequential([Input((None,)), layers.Rescaling(2.0)])
        model.executor = NumpyExecutor()

        def programs(places):
            x = np.ones((1, places), np.float32)
            np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * x)
            return model.runner.programs()

        three, four = programs(3), programs(4)
        assert programs(3) is three
        with pytest.warns(forms.ShapeNotice, match="2 shapes"):
            programs(5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert programs(3) is three
            assert programs(4) is not four

    def test_a_closed_model_has_one(self):
        model = Sequential([Input((3,)), layers.Rescaling(2.0)])
        form = model.runner.form()
        assert model.runner.form(model.runner.rows(np.ones((2, 3)))) is form

    def test_compile_makes_them_anew(self):
        model = convolutions()
        x, y = images(4, 4, 4), np.zeros(4)
        before = model.evaluate(x, y, verbose=0)[0]
        model.compile("sgd", "sparse_categorical_crossentropy", loss_weights=2.0)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(2 * before, rel=1e-6)


class TestBuiltByData:
    """A model without an Input takes data of any shape that its layers take, as in Keras."""

    def texts(self, kind):
        thalweg.utils.set_random_seed(1)
        stack = [layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), layers.Dense(1)]

        class Net(Model):
            def __init__(self):
                super().__init__()
                self.stack = stack

            def call(self, x):
                for layer in self.stack:
                    x = layer(x)
                return x

        model = Sequential(stack) if kind == "sequential" else Net()
        model.compile(thalweg.optimizers.SGD(0.1, momentum=0.9), "mse")
        model.executor = NumpyExecutor()
        return model

    @pytest.mark.parametrize("kind", ["sequential", "class"])
    def test_other_lengths(self, kind, tmp_path):
        """Training goes on with the optimizer as it is: as in a model that was open from the start."""
        model, opened = self.texts(kind), self.texts("sequential")
        opened.runner.seed = model.runner.seed
        opened.build((None, None))
        for places in (5, 3, 5, 7):
            x, y = RANDOM.integers(0, 9, (6, places)), RANDOM.normal(size=6)
            if not model.built:
                model.build_for(x)
                opened.set_weights(model.get_weights())
            assert model.train_on_batch(x, y) == pytest.approx(opened.train_on_batch(x, y), rel=1e-5)
            np.testing.assert_allclose(model.predict(x, verbose=0), opened.predict(x, verbose=0), rtol=1e-5)
        assert model.input_shape == (None, None)

    def test_after_loading(self, tmp_path):
        model = self.texts("sequential")
        x = RANDOM.integers(0, 9, (6, 5))
        model.fit(x, np.zeros(6), verbose=0)
        model.save(tmp_path / "texts.thalweg")
        again = thalweg.load_model(tmp_path / "texts.thalweg")
        again.executor = NumpyExecutor()
        assert again.input_shape == (None, 5)
        np.testing.assert_allclose(again.predict(x[:, :3], verbose=0), model.predict(x[:, :3], verbose=0), rtol=1e-6)

    def test_validation_of_another_length(self):
        model = self.texts("sequential")
        long, short = RANDOM.integers(0, 9, (6, 5)), RANDOM.integers(0, 9, (4, 3))
        y, y_val = RANDOM.normal(size=6), RANDOM.normal(size=4)
        history = model.fit(long, y, epochs=2, validation_data=(short, y_val), verbose=0).history
        assert history["val_loss"][-1] == pytest.approx(model.evaluate(short, y_val, verbose=0), rel=1e-5)

    def test_what_layers_cannot_take(self):
        model = Sequential([layers.Rescaling(2.0), layers.Flatten(), layers.Dense(1)])
        model.executor = NumpyExecutor()
        x = RANDOM.normal(size=(4, 3, 2))
        before = model.predict(x, verbose=0)
        with pytest.raises(ShapeError, match="does not fit the model's input") as caught:
            model.predict(RANDOM.normal(size=(4, 5, 2)), verbose=0)
        assert "(samples, 3, 2)" in str(caught.value)
        assert [layer.output_shape for layer in model.layers] == [(None, 3, 2), (None, 6), (None, 1)]
        np.testing.assert_array_equal(model.predict(x, verbose=0), before)

    def test_a_declared_input_is_meant(self):
        model = Sequential([Input((5,)), layers.Embedding(9, 4), layers.GlobalAveragePooling1D()])
        with pytest.raises(ShapeError) as caught:
            model.predict(np.ones((2, 3)), verbose=0)
        assert "None in the shape of an Input" not in str(caught.value)
        wide = Sequential([Input((4, 4, 1)), layers.GlobalAveragePooling2D()])
        with pytest.raises(ShapeError, match="None in the shape of an Input leaves an axis open"):
            wide.predict(np.ones((2, 3, 4, 1)), verbose=0)


@pytest.mark.parametrize(
    "make",
    [lambda: thalweg.models.resnet(8, (None, None, 3)), lambda: thalweg.models.unet((None, None, 3), filters=(2, 4))],
)
def test_ready_networks_for_images_of_any_size(make):
    model = make()
    model.executor = NumpyExecutor()
    for places in ((8, 8), (12, 4)):
        assert np.isfinite(model.predict(images(1, *places, 3), verbose=0)).all()
