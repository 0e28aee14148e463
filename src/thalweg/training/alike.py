"""Whether the processes of a job are about to do the same: noticed before the first step, not by wrong results."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.fingerprint import differences, in_a_line, of_arrays
from thalweg.data.source import Source
from thalweg.errors import ArgumentError, ProcessError
from thalweg.graph.node import Graph
from thalweg.graph.text import to_text
from thalweg.processes.job import current
from thalweg.state import State
from thalweg.version import __version__

__all__ = ["require_alike", "require_same_data"]

TOGETHER = "xla"
"""What the names of executors begin with that let several processes compute together."""


def require_alike(executor: str, graph: Graph, state: State, identity: Mapping[str, Any]) -> None:
    """Compare what the processes of this job, which are several, begin to train with.

    Arguments:
        executor: its name.
        graph: of the step.
        identity: of data and arguments, in JSON types.

    Raises: ProcessError, in all processes, if something is different in one: what it is; ArgumentError for an executor
        on which each would train for itself.
    """
    job = current()
    if not executor.startswith(TOGETHER):
        raise ArgumentError(
            f"the {executor} executor computes in one process",
            expected="the xla executor, by which processes compute together",
            got=f"{job.count} processes, each of which would train for itself",
            fix="leave executor= and THALWEG_EXECUTOR out, or start the program without thalweg launch",
        )
    _require_same({**_code(), "graph": _digest(to_text(graph)), **identity, "state": _of_state(state)})


def require_same_data(rows: Source) -> None:
    """Compare the rows that several processes evaluate or predict. Raises ProcessError in all if some are others."""
    if current().count > 1:
        _require_same({"data": rows.fingerprint()})


def _require_same(told: Mapping[str, Any]) -> None:
    job, odd = current(), None
    digests = job.gathered("digest", _digest(json.dumps(told, sort_keys=True)))
    if digests is not None:
        odd = next((index for index, digest in enumerate(digests) if digest != digests[0]), None)
    odd = job.agreed("the odd one", odd)
    if odd is None:
        return
    everything = job.gathered("all that is compared", told if job.index in (0, odd) else None)
    found = None if everything is None else in_a_line(differences(everything[odd], everything[0]))
    found = job.agreed("differences", found)
    raise ProcessError(
        "the processes of this job are not about to do the same",
        expected="the same code, model, seed, data and arguments in all of them",
        got=f"process {odd} of {job.count} differs from process 0: {found.replace(', was ', ', in process 0 ')}",
        fix="give all the same files, versions and arguments; what NumPy draws at random needs a seed, as in "
        "numpy.random.default_rng(1)",
    )


@cache
def _code() -> dict[str, Any]:
    """What runs."""
    folder = Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    content = Path(script).read_bytes() if script is not None and Path(script).is_file() else b""
    jax = sys.modules.get("jax")
    return {
        "thalweg": __version__,
        "files of thalweg": digest.hexdigest(),
        "JAX": getattr(jax, "__version__", None),
        "numpy": np.__version__,
        "script": hashlib.blake2b(content, digest_size=8).hexdigest(),
    }


def _of_state(state: State) -> dict[str, str]:
    """Of each variable what it is and a digest."""
    values = {name: np.atleast_1d(state.read(name)) for name in state}
    return {name: of_arrays({"": value})[""] for name, value in values.items()}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
