"""Where plots are drawn. Matplotlib is loaded when the first one is."""

from __future__ import annotations

from typing import Any

from thalweg.errors import MissingPackageError


def axes(given: Any = None, **options: Any) -> Any:
    """The axes to draw on: those given, or those of a new figure made with ``options``.

    Raises: MissingPackageError without matplotlib.
    """
    if given is not None:
        return given
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as error:
        raise MissingPackageError(
            "plots need matplotlib, which is not installed",
            expected="the package matplotlib",
            got=str(error),
            fix="pip install 'thalweg[plots]'",
        ) from error
    return pyplot.subplots(**options)[1]
