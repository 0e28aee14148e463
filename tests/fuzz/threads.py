"""Random concurrent use: several threads train, evaluate, use and save one model, or one each.

A case is ``one: fit predict | evaluate save | predict`` or ``each: fit | fit load``: what each thread does, in order. A
model takes turns or says in four parts that it is in use; what was only used, and not trained, gives the right numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from tests import nets
from tests.fuzz.running import Outcome, judged

import thalweg

ACTIONS = ("fit", "train_on_batch", "evaluate", "predict", "predict one", "save", "load", "weights", "compile", "call")
X, Y = nets.points(40)


def make(random: Random) -> str:
    threads = [
        " ".join(random.choice(ACTIONS).replace(" ", "_") for _ in range(random.choice((1, 2, 3))))
        for _ in range(random.choice((2, 3, 4)))
    ]
    return f"{random.choice(('one', 'one', 'each'))}: {' | '.join(threads)}"


def act(model: thalweg.Sequential, action: str, path: Path) -> np.ndarray | None:
    match action:
        case "fit":
            model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
        case "train_on_batch":
            model.train_on_batch(X, Y)
        case "evaluate":
            model.evaluate(X, Y, verbose=0)
        case "predict":
            return np.asarray(model.predict(X, verbose=0))
        case "predict_one":
            return np.concatenate([model.predict(X[i : i + 1], verbose=0) for i in range(len(X))])
        case "call":
            return np.asarray(model(X))
        case "save":
            model.save(path)
        case "load":
            model.save(path)
            thalweg.load_model(path)
        case "weights":
            model.set_weights(model.get_weights())
        case "compile":
            model.compile("sgd", "sparse_categorical_crossentropy")
    return None


def run(case: str) -> Outcome:
    kind, _, text = case.partition(": ")
    plans = [plan.split() for plan in text.split(" | ")]
    shared = _model()
    models = [shared if kind == "one" else _model() for _ in plans]
    right = np.asarray(_model().predict(X, verbose=0))
    trained = any({"fit", "train_on_batch"} & set(plan) for plan in plans)
    outcomes: list[Outcome] = []
    start = threading.Barrier(len(plans))

    def work(number: int) -> None:
        start.wait()
        for action in plans[number]:
            try:
                result = act(models[number], action, Path(f"model-{number}"))
                if result is not None and not trained and not np.allclose(result, right, rtol=1e-5, atol=1e-6):
                    outcomes.append(Outcome("failed", f"wrong numbers of {action}", str(np.abs(result - right).max())))
                elif result is not None and not np.isfinite(result).all():
                    outcomes.append(Outcome("failed", f"{action} is not finite"))
            except Exception as error:
                outcomes.append(judged(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(plans))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model in models:
        model.fit(X, Y, verbose=0)  # it is as usable as before
    bad = next((outcome for outcome in outcomes if outcome.result not in ("four parts", "accepted")), None)
    return bad or (outcomes[0] if outcomes else Outcome("accepted"))


def _model() -> thalweg.Sequential:
    model = nets.classifier()
    model.predict(X[:1], verbose=0)
    return model


def smaller(case: str) -> Iterator[str]:
    """With a thread or an action less."""
    kind, _, text = case.partition(": ")
    plans = [plan.split() for plan in text.split(" | ")]
    for at in range(len(plans)):
        if len(plans) > 2:
            yield _text(kind, plans[:at] + plans[at + 1 :])
        for action in range(len(plans[at])):
            if len(plans[at]) > 1:
                yield _text(kind, [*plans[:at], plans[at][:action] + plans[at][action + 1 :], *plans[at + 1 :]])


def _text(kind: str, plans: list[list[str]]) -> str:
    return f"{kind}: {' | '.join(map(' '.join, plans))}"
