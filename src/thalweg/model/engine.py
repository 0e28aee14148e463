"""What the steps of a model are compiled to, and where their time goes."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg.checks import Count, In, OneOf, check_value
from thalweg.data.source import Rows, Weights
from thalweg.errors import GraphError
from thalweg.executors import explain
from thalweg.executors.executor import leaf_types
from thalweg.executors.profile import Profile, measured
from thalweg.graph.node import Graph
from thalweg.model.runner import Runner
from thalweg.training import data
from thalweg.training.inference import BATCH
from thalweg.training.step import KINDS, graph_of, prediction_rows
from thalweg.training.trainer import Trainer

PREDICT = "predict"


def explained(runner: Runner, stage: str, batch_size: int | None, what: str) -> str:
    """The step as text, see ``Model.explain``. Raises as there."""
    explain.check_stage(stage)
    wanted = step_rows("explain", what, batch_size)
    runner.require_shape("explain")
    batch = wanted or _usual_rows(runner, "explain", what)
    graph = step_graph(runner, "explain", what, batch, ())
    return explain.explain(runner.executor, graph, stage, gather=what != PREDICT or batch > 1)


def rows_for(runner: Runner, what: str, x: Any, y: Any, sample_weight: Any) -> Rows:
    """The data as a step of this kind takes them. Raises DataError if there are none, or what does not fit."""
    if what != PREDICT:
        return runner.prepare(x, y, sample_weight)
    rows = runner.rows(x)
    data.require_rows(rows)
    return rows


def profiled(
    runner: Runner,
    rows: Rows,
    batch_size: int | None,
    what: str,
    threads: int | None,
    seconds: float,
    peak: float | None,
) -> Profile:
    """Where the time of a step on these rows goes, see ``Model.profile``."""
    seconds = check_value("profile", "seconds", Annotated[float, In("(0, inf)")], seconds)
    peak = check_value("profile", "peak", Annotated[float, In("(0, inf)")] | None, peak)
    batch = min(batch_size or _usual_rows(runner, "profile", what, rows), rows.count)
    graph = step_graph(runner, "profile", what, batch, rows.weights, rows)
    inputs, _ = leaf_types(graph)
    ones = {name: np.ones((rows.count, *kind.shape[1:]), kind.dtype) for name, kind in inputs.items()}
    return measured(
        runner.executor,
        graph,
        runner.state.memory,
        ones | rows.arrays,
        batch,
        what=what,
        threads=threads,
        seconds=seconds,
        peak=peak,
    )


def step_rows(owner: str, what: str, batch_size: int | None) -> int | None:
    """How many rows a step of a kind shall have. Raises ArgumentError for a kind or number that cannot be."""
    check_value(owner, "what", Annotated[str, OneOf(*KINDS)], what)
    rows: int | None = check_value(owner, "batch_size", Count | None, batch_size)
    return rows


def _usual_rows(runner: Runner, owner: str, what: str, rows: Rows | None = None) -> int:
    """How many rows a step has unless somebody asks for others. Raises GraphError if the model is not ready for it."""
    if what == PREDICT:
        runner.require_built(owner)
        return prediction_rows(runner.net(rows)) or BATCH
    runner.require_compiled(owner)
    runner.require_built(owner)
    if what == "train":
        return BATCH
    return runner.trainer(owner, rows).piece(() if rows is None else rows.weights) or BATCH


def step_graph(runner: Runner, owner: str, what: str, batch: int, weights: Weights, rows: Rows | None = None) -> Graph:
    """The graph of a step for so many rows of the shape of ``rows``, or of the last ones.

    Raises: GraphError if the model is not ready for it.
    """
    if what == PREDICT:
        runner.require_built(owner)
        return graph_of(what, runner.net(rows), None, None, batch, weights)
    runner.require_compiled(owner)
    runner.require_built(owner)
    trainer = runner.trainer(owner, rows)
    if trainer.goals is None:
        return _graph_of_own(trainer, owner, what, batch, weights, rows)
    return graph_of(what, trainer.net, trainer.goals, trainer.optimizer, batch, weights)


def _graph_of_own(trainer: Trainer, owner: str, what: str, batch: int, weights: Weights, rows: Rows | None) -> Graph:
    """The graph of a step that the model says itself, for data like these, or the last ones it was trained on."""
    if rows is not None:
        trainer.take_form(rows)
    if trainer.form is None or trainer.own is None:
        raise GraphError(
            f"{owner}: what data the step gets is not known",
            expected="a model with a train_step of its own that has been trained on some",
            got="no data so far",
            fix="call fit or train_on_batch first",
        )
    if what == "evaluate":
        return trainer.own.evaluation_step(trainer.net, trainer.form, batch).graph
    return trainer.step(batch, weights).graph
