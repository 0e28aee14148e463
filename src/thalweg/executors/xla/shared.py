"""What XLA has compiled in this process, for all that ask for the same: models alike, folds, trials, copies."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from thalweg.executors import forks

MOST = 128
"""Programs that are kept; beyond, those go that were not asked for the longest."""

_programs: OrderedDict[Hashable, Any] = OrderedDict()


def shared(key: Hashable, make: Callable[[], Any]) -> Any:
    """The program of this key, made by ``make`` if there is none. Of those who ask at once, one makes it."""
    with forks.compiling():
        if key not in _programs:
            _programs[key] = make()
        _programs.move_to_end(key)
        if len(_programs) > MOST:
            _programs.popitem(last=False)
        return _programs[key]
