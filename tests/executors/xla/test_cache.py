"""Programs of XLA that an earlier process compiled."""

import numpy as np
import pytest

from thalweg.executors.native.run import cache as files
from thalweg.executors.xla import shared
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph
from thalweg.ops import exp, input_node, state_node

pytestmark = pytest.mark.needs("jax")


def ran(value):
    """What a program gives in a process that has none yet."""
    shared._programs.clear()
    total = state_node("total", (2,))
    graph = Graph({}, {"total": total + exp(input_node("x", (2,)))})
    state = {"total": np.zeros(2, np.float32)}
    XlaExecutor().compile(graph, gather=False).run(state, {"x": np.full(2, value, np.float32)})
    return state["total"]


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    """How often XLA was asked to compile."""
    import jax

    from thalweg.executors.xla import cache

    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "WORTH_SECONDS", 0)
    asked, compile_ = [], jax.stages.Lowered.compile

    def noted(self, *arguments):
        asked.append(self)
        return compile_(self, *arguments)

    monkeypatch.setattr(jax.stages.Lowered, "compile", noted)
    return asked


def test_what_was_compiled_once_is_not_compiled_again(compilations):
    first = ran(1.0)
    assert len(compilations) == 1
    assert np.array_equal(ran(1.0), first)
    assert not np.array_equal(ran(2.0), first)
    assert len(compilations) == 1


def test_other_circumstances_are_another_program(compilations, monkeypatch):
    first = ran(1.0)
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--something")
    assert np.array_equal(ran(1.0), first)
    assert len(compilations) == 2


def test_a_file_that_was_changed_is_compiled_anew(compilations, tmp_path):
    first = ran(1.0)
    (path,) = tmp_path.rglob("*.code")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert np.array_equal(ran(1.0), first)
    assert len(compilations) == 2


def test_what_this_jax_does_not_take_is_compiled_anew(compilations, tmp_path):
    first = ran(1.0)
    (path,) = tmp_path.rglob("*.code")
    files.save(path.stem, b"of another version")
    assert np.array_equal(ran(1.0), first)
    assert len(compilations) == 2


def test_who_has_a_cache_of_jax_gets_that(compilations, tmp_path):
    import jax

    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "of jax"))
    try:
        ran(1.0)
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
    assert not list(tmp_path.rglob("*.code"))
