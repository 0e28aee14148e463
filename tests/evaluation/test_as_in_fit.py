"""What is easily computed wrong is right in ``fit_many`` and ``cross_validate`` too: the numbers are those of ``fit``
alone, which have tests of their own.
"""

import pytest
from tests import nets

import thalweg
from thalweg import Input, Model, layers, ops
from thalweg.evaluation import cross_validate, fit_many

X, Y = nets.points(24)


def whole_batch(y_true, y_pred):
    """A loss that looks at the whole batch: what pads it would count."""
    return ops.reduce_mean(ops.square(ops.reduce_max(y_pred) - ops.cast(y_true, "float32")))


def plain():
    return Model(x := Input((4,)), layers.Dense(3, "softmax")(layers.Dense(5, "tanh")(x)))


def named():
    """Names that mean something to thalweg too."""
    x = Input((4,))
    y = layers.Dense(5, "tanh", name="evaluation")(x)
    y = layers.BatchNormalization(name="metrics")(layers.Dense(5, name="optimizer")(y))
    return Model(x, layers.Dense(3, "softmax", name="random")(y))


def shared():
    """A layer reached by two ways: inside of a sub-model and beside it."""
    x, layer = Input((4,)), layers.Dense(4, kernel_regularizer="l2")
    inner = Model(x, layer(x))
    return Model(x, layers.Dense(3, "softmax")(layers.Add()([inner(x), layer(x)])))


def single():
    return Model(x := Input((4,)), layers.Dense(1)(x))


SPARSE = "sparse_categorical_crossentropy"
CASES = {
    "class weights beside a split": (plain, SPARSE, {"class_weight": {0: 3.0, 2: 0.5}, "validation_split": 0.25}),
    "balanced classes beside a split": (plain, SPARSE, {"class_weight": "balanced", "validation_split": 0.25}),
    "users' names": (named, SPARSE, {}),
    "a shared layer": (shared, SPARSE, {}),
    "a loss of the whole batch": (single, whole_batch, {"validation_split": 0.25, "batch_size": 7}),
    "steps that are fewer than the data": (plain, SPARSE, {"steps_per_epoch": 1, "shuffle": False, "batch_size": 5}),
}


def compiled(build, loss, seed=3):
    thalweg.utils.set_random_seed(seed)
    model = build()
    model.executor = "numpy"
    model.compile(thalweg.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"] if loss == SPARSE else ["mae"])
    return model


@pytest.mark.parametrize(("build", "loss", "arguments"), CASES.values(), ids=CASES.keys())
def test_fit_many(build, loss, arguments):
    options = {"epochs": 3, "seed": 5, "verbose": 0, **arguments}
    many = [compiled(build, loss) for _ in range(2)]
    histories = fit_many(many, X, Y, **options)
    alone = compiled(build, loss)
    expected = alone.fit(X, Y, **options)
    for model, history in zip(many, histories, strict=True):
        assert history.history == expected.history
        assert nets.same_bits(model, alone)


@pytest.mark.parametrize(("build", "loss", "arguments"), CASES.values(), ids=CASES.keys())
def test_cross_validate(build, loss, arguments):
    arguments = {"epochs": 2, **arguments}
    found = cross_validate(lambda: compiled(build, loss), X, Y, 2, verbose=0, **arguments)
    for (train, held), model, history, score in zip(
        found.folds, found.models, found.histories, found.scores["loss"], strict=True
    ):
        alone = compiled(build, loss)
        judged = {} if "validation_split" in arguments else {"validation_data": (X[held], Y[held])}
        expected = alone.fit(X[train], Y[train], verbose=0, seed=history.seed, **judged, **arguments)
        assert history.history == expected.history
        assert nets.same_bits(model, alone)
        assert score == pytest.approx(alone.evaluate(X[held], Y[held], verbose=0, return_dict=True)["loss"], rel=1e-6)
