"""One knob from harmless to harmful."""

from __future__ import annotations

from typing import Any

from benchmarks.clinic.words import FLAT, POOL, case, conv, dense, stack

WAVES = {"source": "waves", "n": 4000, "noise": 0.2}
CLOUDS = {"source": "clouds", "n": 6000, "apart": 3.0}


MUST, EITHER, CLEAR = "must", "either", "must_not"


def ladder(
    name: str, base: dict[str, Any], knob: str, values: list[Any], label: str, rights: list[str], other: str = ""
) -> dict[str, Any]:
    """Rungs that set ``knob``, a key of the case or, as ``data.n``, of its data.

    Arguments:
        rights: whether ``label`` must, may or must not be named at each rung: it must where, on three seeds, .12 of the
            best rung's score is lost on test rows, or the gap is .23, or a fifth of the labels is wrong; and must not
            below .04, .06 and .03.
        other: what must be named at the rungs before those where nothing may be.
    """
    first, _, second = knob.partition(".")
    changes = [{first: {second: value}} if second else {first: value} for value in values]
    clear = rights.index(CLEAR)
    labels = [other if other and number < clear else label for number in range(len(values))]
    truth = [{"label": label, "right": right} for label, right in zip(labels, rights, strict=True)]
    return {"name": name, "base": base, "rungs": changes, "truth": truth}


LADDERS = [
    ladder(
        "rates",
        case("rates", "multiclass", WAVES, stack(48, "tanh", 4), "adam", 0.0, 32, 15),
        "lr",
        [1e-6, 1e-5, 1e-4, 3e-3, 1e-2, 3e-2, 0.3, 1.0, 5.0],
        "lr_too_high",
        [MUST, MUST, MUST, EITHER, CLEAR, CLEAR, MUST, MUST, MUST],
        "lr_too_low",
    ),
    ladder(
        "depth",
        case(
            "depth", "multiclass", {"source": "clouds", "n": 2400, "classes": 3, "apart": 6.0}, [], "sgd", 0.3, 16, 30
        ),
        "layers",
        [stack(*(depth * [32]), "sigmoid", 3) for depth in (1, 2, 3, 4, 6, 9)],
        "vanishing_gradients",
        [CLEAR, CLEAR, CLEAR, CLEAR, MUST, MUST],
    ),
    ladder(
        "gain",
        case(
            "gain",
            "binary",
            {"source": "spheres", "n": 4000, "features": 5},
            stack(*(6 * [40]), "relu", 1),
            "sgd",
            0.02,
            32,
            25,
        ),
        "init",
        [{"he_gain": gain} for gain in (0.05, 0.2, 1.0, 1.3, 3.0, 8.0)],
        "bad_init",
        [MUST, MUST, CLEAR, EITHER, MUST, MUST],
    ),
    ladder(
        "wrong",
        case(
            "wrong",
            "multiclass",
            {"source": "rings", "n": 2400},
            stack(32, 32, "relu", 3),
            "adam",
            0.005,
            32,
            25,
            by="label_noise",
        ),
        "data.label_noise",
        [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45],
        "noisy_labels",
        [CLEAR, CLEAR, EITHER, EITHER, MUST, MUST, MUST],
    ),
    ladder(
        "few",
        case("few", "multiclass", WAVES, stack(128, "relu", 4), "adam", 0.003, 16, 40, by="gap"),
        "data.n_train",
        [40, 80, 200, 500, 1000, 2000],
        "overfitting",
        [MUST, MUST, MUST, EITHER, CLEAR, CLEAR],
    ),
    ladder(
        "rare",
        case("rare", "binary", CLOUDS, stack(12, "relu", 1), "adam", 0.003, 64, 12, balanced=True),
        "data.thin",
        [{1: share} for share in (0.01, 0.03, 0.1, 0.3, 1.0)],
        "class_imbalance",
        [MUST, MUST, EITHER, CLEAR, CLEAR],
    ),
    ladder(
        "narrow",
        case("narrow", "multiclass", {"source": "roll", "n": 2000, "classes": 4}, [], "adam", 0.01, 32, 40),
        "layers",
        [stack(width, width, "relu", 4) for width in (1, 2, 4, 8, 16, 64)],
        "underfitting",
        [MUST, EITHER, CLEAR, CLEAR, CLEAR, CLEAR],
    ),
    ladder(
        "dark",
        case("dark", "multiclass", {"source": "shapes", "n": 2000, "noise": 0.2}, [], "sgd", 0.05, 32, 20),
        "layers",
        [
            [conv(8, bias_init=b), POOL, FLAT, dense(32, "relu", bias_init=b), dense(4, "softmax")]
            for b in (0.0, -0.3, -1.0, -3.0, -8.0)
        ],
        "dying_relu",
        [CLEAR, CLEAR, EITHER, MUST, MUST],
    ),
    ladder(
        "loud",
        case(
            "loud",
            "binary",
            {"source": "table", "name": "breast_cancer"},
            stack(24, 12, "relu", 1),
            "sgd",
            0.02,
            16,
            25,
        ),
        "data.columns",
        [dict.fromkeys(range(30), factor) for factor in (1.0, 3.0, 30.0, 300.0, 3000.0)],
        "unscaled_inputs",
        [CLEAR, CLEAR, CLEAR, MUST, MUST],
    ),
    ladder(
        "short",
        case(
            "short",
            "regression",
            {"source": "hills", "n": 2000},
            stack(48, 32, "tanh", 1, "linear"),
            "adam",
            0.003,
            32,
            0,
        ),
        "epochs",
        [1, 2, 4, 8, 20, 60],
        "undertrained",
        [MUST, MUST, MUST, EITHER, CLEAR, CLEAR],
    ),
]
