"""Which ends of a network fit which loss and targets."""

import pytest

from thalweg import Input, Sequential, layers, losses
from thalweg.doctor.facts.head import head_of, misfit
from thalweg.doctor.facts.network import Network
from thalweg.doctor.record import Targets
from thalweg.training.goals import goals_of

ANSWERS = Targets(shares=(0.6, 0.4), mean=0.4, deviation=0.49, least=0, most=1)
CLASSES = Targets(shares=(0.2,) * 5, mean=2, deviation=1.4, least=0, most=4)
ONE_HOT = Targets(shares=(0.2,) * 5, mean=0.2, deviation=0.4, least=0, most=1, one_hot=True)
SEVERAL = Targets(mean=0.4, deviation=0.49, least=0, most=1, answers=True)
NUMBERS = Targets(mean=0, deviation=1, least=-3, most=3)
PRICES = Targets(mean=150, deviation=70, least=25, most=340)
SHARES = Targets(mean=0.4, deviation=0.2, least=0.01, most=0.99)
LABELS = Targets(mean=2, deviation=1.4, least=0, most=4)

BCE, CE, SCE = losses.BinaryCrossentropy(), losses.CategoricalCrossentropy(), losses.SparseCategoricalCrossentropy()
MSE, MAE = losses.MeanSquaredError(), losses.MeanAbsoluteError()

GOOD = {
    "sigmoid, answers": ("sigmoid", 1, BCE, False, ANSWERS, "binary"),
    "softmax, classes": ("softmax", 5, SCE, False, CLASSES, "multiclass"),
    "softmax, one-hot": ("softmax", 5, CE, False, ONE_HOT, "multiclass"),
    "logits": ("linear", 5, SCE, True, CLASSES, "multiclass"),
    "a logit": ("linear", 1, BCE, True, ANSWERS, "binary"),
    "more units than classes": ("softmax", 7, SCE, False, CLASSES, "multiclass"),
    "two units of a softmax, each a question": ("softmax", 2, BCE, False, ONE_HOT, "multiclass"),
    "a question for each class": ("sigmoid", 5, BCE, False, ONE_HOT, "multiclass"),
    "several answers": ("sigmoid", 5, BCE, False, SEVERAL, None),
    "several answers by least squares": ("linear", 5, MSE, False, SEVERAL, "regression"),
    "numbers": ("linear", 1, MSE, False, NUMBERS, "regression"),
    "prices from relu": ("relu", 1, MAE, False, PRICES, "regression"),
    "shares": ("sigmoid", 1, MSE, False, SHARES, "regression"),
    "ratings": ("linear", 1, MSE, False, LABELS, "regression"),
    "answers by least squares": ("linear", 1, MSE, False, ANSWERS, "binary"),
    "one-hot by least squares": ("linear", 5, MSE, False, ONE_HOT, "multiclass"),
    "of nobody's business": ("linear", 9, MSE, False, None, None),
    "pictures": ("sigmoid", 784, BCE, False, SHARES, None),
}

BAD = {
    "softmax over one": ("softmax", 1, BCE, False, ANSWERS, "binary", True),
    "softmax over one, numbers": ("softmax", 1, MSE, False, NUMBERS, "regression", True),
    "softmax over several answers": ("softmax", 5, MSE, False, SEVERAL, "regression", True),
    "twice": ("softmax", 5, SCE, True, CLASSES, "multiclass", False),
    "sigmoid twice": ("sigmoid", 1, BCE, True, ANSWERS, "binary", False),
    "no softmax": ("linear", 5, SCE, False, CLASSES, "multiclass", True),
    "no sigmoid": ("tanh", 1, BCE, False, ANSWERS, "binary", True),
    "relu": ("relu", 5, CE, False, ONE_HOT, "multiclass", True),
    "class numbers as quantities": ("linear", 1, MSE, False, LABELS, "multiclass", True),
    "squares of a softmax": ("softmax", 5, MSE, False, ONE_HOT, "multiclass", False),
    "squares of a sigmoid": ("sigmoid", 1, MAE, False, ANSWERS, "binary", False),
    "sigmoid over classes": ("sigmoid", 5, CE, False, ONE_HOT, "multiclass", False),
    "binary crossentropy of a softmax": ("softmax", 5, BCE, False, ONE_HOT, "multiclass", False),
    "sigmoid for numbers": ("sigmoid", 1, MSE, False, NUMBERS, "regression", True),
    "sigmoid for prices": ("sigmoid", 1, MSE, False, PRICES, None, True),
    "tanh for prices": ("tanh", 1, MSE, False, PRICES, "regression", True),
    "relu for numbers on both sides": ("relu", 1, MSE, False, NUMBERS, "regression", True),
    "tanh for a little more": ("tanh", 1, MSE, False, Targets(0, (), 0, 0.5, -1.6, 1.6), "regression", False),
}


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_what_fits(case):
    assert misfit(*case) is None


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_does_not(case):
    *arguments, sure = case
    found = misfit(*arguments)
    assert found.sure is sure
    assert found.fault
    assert found.change


ENDS = {
    "softmax": ([layers.Dense(3, "softmax")], "softmax", False),
    "an activation of its own": ([layers.Dense(3), layers.Activation("sigmoid")], "sigmoid", False),
    "a shape behind it": ([layers.Dense(4, "tanh"), layers.Reshape((2, 2))], "tanh", False),
    "none": ([layers.Dense(3)], "linear", True),
    "none, without a bias": ([layers.Dense(3, use_bias=False)], "linear", True),
    "a layer as an argument": ([layers.Dense(3, layers.LeakyReLU())], "leaky_relu", False),
    "made of others": ([layers.Dense(3, "selu")], "selu", False),
    "a sum of two": ([layers.Dense(3), layers.Rescaling(2.0)], "Rescaling", False),
}


@pytest.mark.parametrize(("stack", "activation", "linear"), ENDS.values(), ids=ENDS)
def test_the_end_is_read_from_the_graph(stack, activation, linear):
    model = Sequential([Input((4,)), layers.Dense(5, "relu"), *stack])
    goals = goals_of(model.runner.structure.output_types(), "mse", None, None, None)
    found = head_of(goals, Network.of(model.runner.net(), model.runner.structure.layers_by_path()), NUMBERS, None)
    assert (found.activation, found.linear, found.loss) == (activation, linear, "mean_squared_error")
    assert found.units == model.output_shape[-1]


def test_no_goals_no_head():
    assert head_of(None, Network((), {}), None, None) is None
