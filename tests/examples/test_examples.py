"""The scripts in examples/ run, and show what they say they show."""

import importlib.util
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import optimizers
from thalweg.errors import MissingPackageError

FOLDER = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
DRAWS = [name for name in SCRIPTS if '"--plot"' in (FOLDER / f"{name}.py").read_text(encoding="utf-8")]


def example(name):
    """The script as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def only_drawings_have_matplotlib(request, monkeypatch):
    if request.node.originalname != "test_drawings":
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)


@pytest.mark.parametrize("name", SCRIPTS)
def test_is_listed_and_says_how_to_run_it(name, monkeypatch, capsys):
    script = FOLDER / f"{name}.py"
    assert f"`{name}.py`" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"python examples/{name}.py" in text_of(name).split('"""')[1]
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code in (0, None)
    assert "usage:" in capsys.readouterr().out


def test_drawing_without_matplotlib_is_refused_in_four_parts():
    with pytest.raises(MissingPackageError, match=r"thalweg\[plots\]"):
        example("perceptrons").main(["--plot", "gates.png"])


def test_examples_draw_by_way_of_thalweg():
    """So that each says what to install."""
    assert [
        name for name in SCRIPTS if "import matplotlib" in text_of(name) or "from matplotlib" in text_of(name)
    ] == []


def text_of(name):
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.long
def test_perceptrons():
    right = example("perceptrons").main([])
    assert [right[f"{gate}, one neuron"] for gate in ("AND", "OR", "NAND")] == [4, 4, 4]
    assert right["XOR, one neuron"] < 4
    assert right["XOR, 4 hidden units"] == 4


@pytest.mark.long
@pytest.mark.slow
def test_descent():
    found = example("descent").main([])
    rates = found["rates"]
    minimum = -1.0879  # of x^4/4 - x^2/2 + x/5: the root of x^3 - x + 1/5 on the left
    assert abs(rates["good"][-1] - minimum) < 1e-3
    assert rates["too small"][-1] < minimum - 0.1
    assert np.any(rates["overshooting"] > minimum + 0.5)
    assert abs(rates["diverging"][-1]) > 1e3
    assert {round(float(end), 2) for end in found["starts"].values()} == {-1.09, 0.88}
    stuck, freed = found["saddles"].values()
    assert np.abs(stuck[-1]).max() < 1e-6
    assert abs(freed[-1][1] - 1) < 1e-3
    module = example("descent")
    assert {name for name, _ in optimizers.registry.items()} < set(found["paths"])
    for name, places in found["paths"].items():
        if name.split(",")[0] in module.RATES_HERE:
            assert module.rosenbrock(places[-1]) < module.rosenbrock(places[0]) / 10, name


@pytest.mark.long
def test_learning_rates():
    found = example("learning_rates").main([])
    assert {name: [finding.code for finding in diagnosis] for name, diagnosis in found.items()} == {
        "overshoots": ["lr_too_high"],
        "crawls": ["lr_too_low"],
        "fits": [],
    }


@pytest.mark.long
def test_plateaus():
    found, curves = example("plateaus").main([])
    assert found["plateau, SGD"].codes == ("plateau",)
    assert "bad_init" in found["saddle, SGD"].codes
    for name in ("plateau, Adam", "saddle, momentum"):
        assert not found[name].codes
        assert curves[name][-1] < 0.05
    for name in ("plateau, SGD", "saddle, SGD"):
        assert curves[name][-1] > 0.6


@pytest.mark.slow
@pytest.mark.needs("sklearn")
def test_tables():
    found = example("tables").main([])
    for name in ("tumours", "wines"):
        score, simplest = found[name]
        assert score > 0.93 > simplest + 0.2
    error, of_mean = found["diabetes"]
    assert error < 0.85 * of_mean


@pytest.mark.long
@pytest.mark.slow
def test_vanishing_gradients():
    norms, accuracies = example("vanishing_gradients").main(["--epochs", "3"])
    sigmoid, relu = norms["sigmoid, Glorot"], norms["relu, He"]
    assert sigmoid[0] < 1e-4 * sigmoid[-1]
    assert 0.1 < relu[0] / relu[-1] < 10
    for name in ("sigmoid, normalised", "relu, He, normalised"):
        assert 0.1 < norms[name][0] / norms[name][-1] < 50
    assert accuracies["sigmoid, Glorot"] < 0.2
    for name in ("relu, He", "sigmoid, normalised", "relu, He, normalised"):
        assert accuracies[name] > 0.85


def test_what_vanishing_gradients_calls_normalised_is_the_layer_in_training():
    module = example("vanishing_gradients")
    x = np.random.default_rng(0).normal(3, 2, (64, 5)).astype(np.float32)
    model = thalweg.Sequential([thalweg.Input((5,)), thalweg.layers.BatchNormalization(momentum=0.0)])
    model.compile(optimizers.SGD(1e-20), "mse")
    model.train_on_batch(x, x)  # takes over the batch's mean and variance
    np.testing.assert_allclose(thalweg.compile_function(module.normalised)(x), model.predict(x, verbose=0), atol=2e-6)


@pytest.mark.long
@pytest.mark.slow
def test_overfitting():
    found = example("overfitting").main([])
    assert found["nothing"]["training"] < 0.01
    assert found["early stopping"]["test"] < 0.9 * found["nothing"]["test"]
    assert found["L2"]["test"] < 0.95 * found["nothing"]["test"]
    assert found["L2"]["training"] > found["nothing"]["training"]
    assert found["augmentation"]["test"] < 0.7 * found["nothing"]["test"]
    assert found["augmentation"]["accuracy"] > found["nothing"]["accuracy"] + 0.015
    assert found["all of them"]["test"] < 0.6 * found["nothing"]["test"]
    assert found["all of them"]["accuracy"] == max(result["accuracy"] for result in found.values())
    assert found["dropout"]["accuracy"] > found["a small network"]["accuracy"]


@pytest.mark.long
@pytest.mark.slow
def test_imbalance():
    found = example("imbalance").main([])
    plain = found["crossentropy"]
    assert plain["accuracy"] > 0.985
    assert plain["recall"] < 0.3
    assert found["class weights"]["recall"] > 0.8
    assert found["class weights"]["precision"] < 0.5
    for name in ("focal", "hard negatives 3:1", "crossentropy, longer"):
        assert found[name]["F1"] > plain["F1"] + 0.2
        assert found[name]["average precision"] > plain["average precision"] + 0.1


@pytest.mark.needs("sklearn")
def test_imbalance_scores_are_those_of_scikit_learn():
    from sklearn import metrics as sklearn

    random = np.random.default_rng(0)
    y = (random.random(500) < 0.1).astype(int)
    probabilities = np.clip(random.normal(0.3 + 0.3 * y, 0.2), 0, 1)
    found = example("imbalance").scores(probabilities, y)
    said = probabilities > 0.5
    assert found["precision"] == pytest.approx(sklearn.precision_score(y, said))
    assert found["recall"] == pytest.approx(sklearn.recall_score(y, said))
    assert found["F1"] == pytest.approx(sklearn.f1_score(y, said))
    assert found["average precision"] == pytest.approx(sklearn.average_precision_score(y, probabilities))


@pytest.mark.long
@pytest.mark.slow
def test_comparison():
    found, losses = example("comparison").main([])
    untrained = np.log(10)
    for name, by_rate in losses.items():
        best = min(by_rate, key=by_rate.get)
        assert by_rate[best] < 0.4, name
        smallest, largest = (by_rate[rate] for rate in (min(by_rate), max(by_rate)))
        assert best not in (min(by_rate), max(by_rate))
        assert smallest > 1.5 * by_rate[best]
        assert largest > 0.9 * untrained
    sgd, adam = (min(losses[name], key=losses[name].get) for name in ("SGD", "Adam"))
    assert sgd == pytest.approx(100 * adam)
    assert losses[found.best.split()[0]][float(found.best.split()[1])] == min(
        loss for by_rate in losses.values() for loss in by_rate.values()
    )


@pytest.mark.long
@pytest.mark.slow
def test_k_fold():
    scores, together, parts, found = example("k_fold").main(["--folds", "4", "--epochs", "3"])
    assert sorted(np.concatenate(parts)) == list(range(4000))
    assert all(score > 0.85 for score in scores)
    weights = [len(part) / 4000 for part in parts]
    assert together == pytest.approx(np.dot(scores, weights), abs=1e-6)
    assert len(found.scores["accuracy"]) == 4
    assert abs(found.mean["accuracy"] - np.mean(scores)) < 3 * max(found.deviation["accuracy"], np.std(scores, ddof=1))


@pytest.mark.long
@pytest.mark.slow
def test_calibration():
    errors = example("calibration").main([])
    assert errors[0.005] < 0.6 * errors[0.0]
    assert errors[0.1] > errors[0.0]


def test_expected_calibration_error_by_hand():
    """Two sure and right, two half sure of which one is right, at 0.6: bins 0.9 (off by 0.05) and 0.6 (off by 0.1)."""
    module = example("calibration")
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95], [0.6, 0.4], [0.6, 0.4]])
    table = module.reliability(probabilities, np.array([0, 1, 0, 1]))
    assert module.expected_calibration_error(table) == pytest.approx(0.5 * 0.05 + 0.5 * 0.1)


@pytest.mark.long
@pytest.mark.slow
def test_best_digits():
    assert example("best_digits").main(["--epochs", "2", "--images", "12000"])["accuracy"] > 0.9


@pytest.mark.long
@pytest.mark.slow
def test_convolution():
    found = example("convolution").main(["--epochs", "2"])
    assert found["wrong"] < 350
    assert found["on ink"] > 1.3 * 0.16  # the share of the pixels that are ink
    assert found["heat"].shape == (10, 10, 10)
    mistakes = found["mistakes"]
    assert np.all(np.diff(mistakes.confidence) <= 0)
    assert np.all(mistakes.targets != mistakes.answers)


@pytest.mark.long
@pytest.mark.slow
def test_segmentation():
    """The Dice loss beats crossentropy alone at either threshold, each training of three that of all the others."""
    found = example("segmentation").main([])
    plain, with_dice = found["crossentropy"], found["crossentropy + Dice"]
    assert with_dice[:, 0].min() > plain[:, 0].max() + 0.01
    assert with_dice[:, 4].min() > plain[:, 4].max()
    assert with_dice[:, 2].mean() > plain[:, 2].mean()  # by finding more
    assert with_dice[:, 0].mean() > 0.7


def test_segmentation_scenes_and_score():
    module = example("segmentation")
    digits = np.zeros((1, 28, 28), np.uint8)
    digits[0, :, 12:16] = 255  # one upright stroke, two pixels wide when small
    images, masks = module.scenes(digits, 40, seed=0)
    assert images.shape == masks.shape == (40, 48, 48, 1)
    strokes = masks.sum((1, 2, 3)) / 28
    assert strokes.min() > 0.9
    assert strokes.max() <= 4
    assert images[masks > 0].mean() > images[masks == 0].mean() + 0.5
    again, _ = module.scenes(digits, 40, seed=0)
    np.testing.assert_array_equal(images, again)
    marked = np.zeros((1, 4, 4, 1), bool)
    marked[0, 0, :2] = True
    truth = np.zeros((1, 4, 4, 1), np.float32)
    truth[0, 0, 1:4] = 1
    assert module.dice_score(marked, truth) == pytest.approx(2 * 1 / (2 + 3))


def test_backprop_by_hand():
    assert example("backprop_by_hand").main([]) < 1e-15


@pytest.mark.long
@pytest.mark.slow
def test_from_scratch():
    worst, right = example("from_scratch").main(["--epochs", "1", "--units", "32"])
    assert worst < 1e-8
    assert right > 0.9


def test_from_scratch_is_one_page_and_its_check_finds_a_fault():
    text = (FOLDER / "from_scratch.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 220
    module = example("from_scratch")
    weights = module.initial_weights([4, 5, 3], dtype=np.float64)
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])

    def check(activation):
        return module.check_gradients(
            lambda w: module.softmax_cross_entropy(module.network(module.Node(x), w, activation), y), weights
        )

    assert check(module.tanh) < 1e-8
    assert check(lambda n: module.Node(np.tanh(n.value), (n,), lambda g: (g,))) > 1e-3
    x = module.Node(3.0)
    product = module.Node(x.value * x.value, (x, x), lambda g: (g * x.value, g * x.value))
    assert module.gradients(product, [x, module.Node(1.0)]) == [6.0, 0.0]  # what meets is added up


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.needs("matplotlib")
def test_drawings(name, tmp_path):
    short = ["--epochs", "1"] if '"--epochs"' in (FOLDER / f"{name}.py").read_text(encoding="utf-8") else []
    example(name).main(["--plot", str(tmp_path / "drawing.png"), *short])
    assert (tmp_path / "drawing.png").read_bytes().startswith(b"\x89PNG")
