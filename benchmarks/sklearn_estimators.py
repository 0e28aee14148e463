"""scikit-learn's multilayer perceptrons beside thalweg's: ``python -m benchmarks.sklearn_estimators``.

The same parameters, rows and random state, so the same losses; in turns, in one process. Sizes are those of
scikit-learn's own benchmarks and examples: ``bench_mnist.py`` (its two networks, 5 of its up to 400 iterations), digits
and iris with the default parameters until they stop, diabetes with L-BFGS, a search over 24 small fits.
"""

import argparse
import statistics
import warnings
from collections.abc import Callable
from functools import cache, partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import sklearn.neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

import thalweg.sklearn as ours
from benchmarks.table import markdown


class Case(NamedTuple):
    """What is timed.

    Attributes:
        run: takes the module with the estimators and the number of threads ours may use; gives what was fitted.
    """

    name: str
    run: Callable[[Any, dict[str, Any]], Any]


@cache
def mnist() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """In float32 from 0 to 1, as in ``bench_mnist.py``."""
    from thalweg.datasets import mnist

    (x, y), _ = mnist.load_data()
    return x.reshape(len(x), -1).astype(np.float32) / 255, y


@cache
def standardized(load: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """One of scikit-learn's small data sets."""
    x, y = load(return_X_y=True)
    return scale(x), y


def mnist_case(
    dtype: str, iterations: int, thalwegs: str | None = None, **options: Any
) -> Callable[[Any, dict[str, Any]], Any]:
    """The networks of ``bench_mnist.py``; ``thalwegs`` is what ``dtype=`` of ours says."""

    def run(module: Any, own: dict[str, Any]) -> Any:
        x, y = mnist()
        fixed = {"hidden_layer_sizes": (100, 100), "alpha": 1e-4, "tol": 1e-4, "random_state": 1}
        if module is ours:
            own = {**own, "dtype": thalwegs}
        return module.MLPClassifier(**fixed, **options, **own, max_iter=iterations).fit(x.astype(dtype), y)

    return run


def small_case(
    load: Any, kind: str, thalwegs: str | None = None, **options: Any
) -> Callable[[Any, dict[str, Any]], Any]:
    """On a small data set; ``thalwegs`` as above."""

    def run(module: Any, own: dict[str, Any]) -> Any:
        x, y = standardized(load)
        if module is ours:
            own = {**own, "dtype": thalwegs}
        return getattr(module, kind)(random_state=0, **options, **own).fit(x, y)

    return run


def search_case(module: Any, own: dict[str, Any]) -> Any:
    """24 fits of 30 iterations on 600 digits."""
    x, y = standardized(load_digits)
    grid = {"alpha": [1e-5, 1e-3, 1e-1, 10.0], "learning_rate_init": [1e-3, 1e-2]}
    estimator = module.MLPClassifier(hidden_layer_sizes=(50,), max_iter=30, random_state=0, **own)
    search = GridSearchCV(estimator, grid, cv=3, refit=True).fit(x[:600], y[:600])
    return search.best_estimator_


CASES = [
    Case("MNIST 784-100-100-10, adam, float32", mnist_case("float32", 5)),
    Case("MNIST 784-100-100-10, sgd, float32", mnist_case("float32", 5, solver="sgd", learning_rate_init=0.2)),
    Case("MNIST 784-100-100-10, adam, float32 and mixed_bfloat16", mnist_case("float32", 5, "mixed_bfloat16")),
    Case("MNIST 784-100-100-10, adam, float64 and float32", mnist_case("float64", 5, "float32")),
    Case("MNIST 784-100-100-10, adam, float64", mnist_case("float64", 5)),
    Case("digits 64-100-10, adam, until it stops", small_case(load_digits, "MLPClassifier")),
    Case("digits, float64 and float32", small_case(load_digits, "MLPClassifier", "float32")),
    Case("iris 4-100-3, adam, until it stops", small_case(load_iris, "MLPClassifier", max_iter=1000)),
    Case("iris 4-100-3, sgd, 200 iterations", small_case(load_iris, "MLPClassifier", solver="sgd")),
    Case("diabetes 10-100-1, lbfgs, 200 iterations", small_case(load_diabetes, "MLPRegressor", solver="lbfgs")),
    Case("search of 24 small fits on 600 digits", search_case),
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sklearn_estimators")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of thalweg; scikit-learn's BLAS goes by OMP_NUM_THREADS")
    parser.add_argument("--only", default="", help="cases with this in their name")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for case in CASES:
        if given.only not in case.name:
            continue
        own = {"threads": given.threads}
        first, _ = timed(partial(case.run, ours, own))
        pairs = [
            (timed(partial(case.run, theirs, {})), timed(partial(case.run, ours, own))) for _ in range(given.rounds)
        ]
        seconds = [statistics.median(pair[side][0] for pair in pairs) for side in (0, 1)]
        (_, a), (_, b) = pairs[-1]
        rows.append(
            (
                case.name,
                f"{seconds[0]:.3f}",
                f"{seconds[1]:.3f}",
                f"{first:.3f}",
                f"{seconds[0] / seconds[1]:.1f}",
                f"{a.n_iter_} / {b.n_iter_}",
                f"{a.loss_:.6f}",
                f"{b.loss_:.6f}",
            )
        )
        print(rows[-1], flush=True)
    head = ("fit", "scikit-learn, s", "thalweg, s", "its first, s", "times", "iterations", "loss", "loss of thalweg")
    print(markdown(head, rows))


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the result."""
    began = perf_counter()
    result = run()
    return perf_counter() - began, result


if __name__ == "__main__":
    main()
