"""Where plots are drawn. Matplotlib is loaded when the first one is."""

from __future__ import annotations

from typing import Any

from thalweg.extras import needed


def axes(given: Any = None, **options: Any) -> Any:
    """The axes to draw on: those given, or those of a new figure made with ``options``.

    Raises: MissingPackageError without matplotlib.
    """
    return part("pyplot").subplots(**options)[1] if given is None else given


def figure(**options: Any) -> Any:
    """A new figure made with ``options``, for pictures of several axes.

    Raises: MissingPackageError without matplotlib.
    """
    return part("pyplot").figure(**options)


def close(drawn: Any) -> None:
    """Forget a figure that has been saved: notebooks do not show it again at the end of a cell."""
    part("pyplot").close(drawn)


def part(name: str) -> Any:
    """The module ``matplotlib.<name>``.

    Raises: MissingPackageError without matplotlib.
    """
    return needed(
        f"matplotlib.{name}",
        "plots need matplotlib, which is not installed",
        expected="the package matplotlib",
        fix="pip install 'thalweg[plots]'",
    )
