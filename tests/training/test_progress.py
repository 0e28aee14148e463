"""What is shown where: nothing, one redrawn line, or at most 50 lines."""

import io
import sys
import types

import pytest
from tests import nets

from thalweg.training import progress

X, Y = nets.points(40)


def test_silence(capsys):
    model = nets.classifier()
    model.fit(X, Y, epochs=3, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_a_pipe_gets_one_plain_line_per_epoch(capsys, verbose):
    nets.classifier().fit(X, Y, epochs=3, validation_split=0.2, verbose=verbose)
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert len(lines) == 3
    assert not {"\r", "\b", "\x1b"} & set(text)
    assert lines[2].startswith("Epoch 3/3")
    assert "val_loss: " in lines[2]


@pytest.mark.parametrize(("first", "epochs"), [(0, 50), (0, 51), (0, 200), (7, 1000)])
def test_a_pipe_gets_at_most_fifty_lines_and_the_last_epoch(first, epochs):
    shown = progress._shown(first, epochs)
    assert len(shown) == 50 if epochs - first >= 50 else epochs - first
    assert max(shown) == epochs - 1
    assert min(shown) >= first


def test_two_hundred_epochs_in_a_pipe(capsys):
    nets.classifier().fit(X, Y, epochs=200, verbose="auto")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 50
    assert lines[-1].startswith("Epoch 200/200")


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_terminal_gets_one_line_that_is_redrawn(monkeypatch):
    stream = Tty()
    monkeypatch.setattr(sys, "stdout", stream)
    shown = progress.Progress("auto", 0, 2, 10)
    shown.begin_epoch(0)
    assert shown.wants_redraw()
    shown.redraw(5, {"loss": 1.0})
    assert not shown.wants_redraw()  # at most ten times a second
    shown.end_epoch({"loss": 0.5})
    text = stream.getvalue()
    assert text.startswith("\rEpoch 1/2  ━━━━━━━━━━──────────  5/10  0.0s  loss: 1.0000")
    assert text.count("\n") == 1
    assert text.endswith("loss: 0.5000\x1b[K\n")


def test_a_line_is_cut_to_the_terminals_width(monkeypatch):
    stream = Tty()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "30")
    shown = progress.Progress(1, 0, 1, 10)
    shown.redraw(1, {f"metric_{i}": 1.0 for i in range(20)})
    assert len(stream.getvalue().removeprefix("\r").removesuffix("\x1b[K")) == 29


def test_an_ascii_terminal_gets_an_ascii_bar(monkeypatch):
    stream = Tty()
    stream.encoding = "ascii"
    monkeypatch.setattr(sys, "stdout", stream)
    progress.Progress(1, 0, 1, 10).redraw(5, {})
    assert "##########----------" in stream.getvalue()


def test_a_notebook_gets_one_updating_cell(monkeypatch):
    updates = []

    class ZMQInteractiveShell:
        pass

    class Handle:
        def update(self, content, raw):
            updates.append(content["text/plain"])

    ipython = types.ModuleType("IPython")
    vars(ipython)["get_ipython"] = ZMQInteractiveShell
    display = types.ModuleType("IPython.display")
    vars(display)["display"] = lambda content, raw, display_id: Handle()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    nets.classifier().fit(X, Y, epochs=2)
    assert updates[-1].count("\n") == 1
    assert "Epoch 2/2" in updates[-1]


def test_evaluation_prints_one_line_of_results(capsys):
    nets.classifier().evaluate(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "loss: " in lines[0]
    assert "accuracy: " in lines[0]


def test_numbers_keep_four_digits():
    assert progress._number(0.12345) == "0.1235"
    assert progress._number(1.5e-5) == "1.500e-05"
    assert progress._number(0.0) == "0.0000"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("I/O operation on closed file")])
def test_a_screen_that_fails_falls_silent(error):
    """Training goes on when the disk is full or the reader of the pipe has gone."""

    class Broken(io.StringIO):
        def write(self, text):
            raise error

    for kind in (progress.Lines, progress.Terminal):
        screen = kind(Broken())
        screen.redraw("1")
        screen.keep("2")
        screen.close()
    progress.Lines(None).keep("a program without a standard output")
