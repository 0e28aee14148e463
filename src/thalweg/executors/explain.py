"""The stages on the way from a graph to machine code, as text."""

from __future__ import annotations

from typing import Any

from thalweg.errors import ExecutorError, NameNotFoundError, did_you_mean
from thalweg.executors.executor import Executor
from thalweg.graph.node import Graph
from thalweg.graph.text import to_text
from thalweg.graph.verify import verify

STAGES = {
    "graph": "the operations of a step as they were traced, with the layer that asked for each",
    "simplified": "the graph without needless and repeated work",
    "kernels": "what is computed together in one loop nest, and what is stored",
    "plan": "in which order tasks run, what they read and write, and where that lies in memory",
    "ir": "the code in LLVM's intermediate representation",
    "assembly": "the machine's instructions",
    "stablehlo": "what the compiler XLA gets, of the xla executor",
    "hlo": "what XLA has made of it: the instructions that run, of the xla executor",
}
"""From what the layers asked for to what the processor gets. The first two are every executor's."""


def check_stage(stage: Any) -> None:
    """Raises NameNotFoundError for a stage that does not exist."""
    if not isinstance(stage, str) or stage not in STAGES:
        raise NameNotFoundError(
            "there is no stage of this name",
            expected=", ".join(STAGES),
            got=f"{stage!r:.80}",
            fix=did_you_mean(stage, STAGES) if isinstance(stage, str) else f"pass for example stage={'plan'!r}",
        )


def explain(executor: Executor, graph: Graph, stage: str, *, gather: bool) -> str:
    """The graph at a stage of its compilation by the executor.

    Raises: NameNotFoundError for an unknown stage; ExecutorError for one that the executor has not.
    """
    check_stage(stage)
    if stage not in executor.stages:
        raise ExecutorError(
            f"the {executor.name} executor has no stage {stage!r}",
            expected=" or ".join(map(repr, executor.stages)),
            got=repr(stage),
            fix=f"ask the {'xla' if 'hlo' in stage else 'native'} executor: set model.executor to it by its name",
        )
    if stage == "graph":
        return to_text(graph)  # unchecked: this is how a graph that is not right is looked at
    verify(graph)
    return executor.explain(graph, stage, gather=gather)
