"""The names of what lasts. Each begins with a level that says what it is; below it a user's names mean nothing to us.

A layer called ``optimizer`` has its kernel under ``parameters/optimizer/kernel``, where nobody takes it for a counter
of the optimizer. Slots and sums stand behind the last slash, and have none in their own names.
"""

from __future__ import annotations

PARAMETERS = "parameters"
"""``parameters/<path>``: what layers keep, trained or not; the path is ``dense_1/kernel``."""
SLOTS = "slots"
"""``slots/<path>/<slot>``: an optimizer's arrays for a parameter."""
OPTIMIZER = "optimizer"
"""``optimizer/<name>``: an optimizer's numbers."""
OPTIMIZERS = "optimizers"
"""``optimizers/<optimizer>/<name>`` and ``optimizers/<optimizer>/<path>/<slot>``: numbers and slots of optimizers that
a class of models keeps beside that of ``compile``, by the names of the attributes."""
RANDOM = "random"
"""``random/<name>``: what random numbers are made of."""
POSITION = "position"
"""``position/<name>``: how far training has come."""
METRICS, EVALUATION = "metrics", "evaluation"
"""``metrics/<name>/<sum>``: the running sums of losses and metrics while training; the same in evaluation."""

STATISTICS = "statistics"
"""``statistics/sums``: what a step that measures found of its layers, see ``Step.measured``."""

SEED_STATE = f"{RANDOM}/seed"
STATISTICS_STATE = f"{STATISTICS}/sums"
STEP_STATE = f"{RANDOM}/step"
"""Steps ever made: each draws other numbers."""
DRAW_STATE = f"{RANDOM}/draw"
"""Steps of evaluation and prediction that drew random numbers: in models with layers called with ``training=True``."""
EPOCH_STATE = f"{POSITION}/epoch"
"""Epochs ever begun: with the seed it gives the next epoch's order, so 5 epochs are 2 and 3 more, to the bit."""


def parameter_state(path: str) -> str:
    """The name of the state that holds a parameter.

    Example:
        >>> parameter_state("dense/kernel")
        'parameters/dense/kernel'
    """
    return f"{PARAMETERS}/{path}"


def slot_state(path: str, slot: str) -> str:
    """The name of the state that holds an optimizer's slot of a parameter."""
    return f"{SLOTS}/{path}/{slot}"


def owned(name: str, optimizer: str) -> str:
    """What a number or slot of an optimizer is called where it belongs to one beside that of ``compile``, named "".

    Example:
        >>> owned("slots/dense/kernel/m", "d_optimizer"), owned("slots/dense/kernel/m", "")
        ('optimizers/d_optimizer/dense/kernel/m', 'slots/dense/kernel/m')
    """
    return f"{OPTIMIZERS}/{optimizer}/{within(name)}" if optimizer else name


def level(name: str) -> str:
    """What kind of state a name is of."""
    return name.partition("/")[0]


def within(name: str) -> str:
    """The name without its level: of a parameter its path."""
    return name.partition("/")[2]


def parameter_of(name: str) -> str | None:
    """The path of the parameter that a state is, or is kept for; None for what belongs to none.

    Example:
        >>> parameter_of("parameters/dense/kernel"), parameter_of("slots/dense/kernel/m"), parameter_of("random/seed")
        ('dense/kernel', 'dense/kernel', None)
    """
    path, kind = within(name), level(name)
    if kind == PARAMETERS:
        return path
    if kind == OPTIMIZERS:
        path = path.partition("/")[2]
    return path.rpartition("/")[0] or None if kind in (SLOTS, OPTIMIZERS) else None


def in_format_1(name: str) -> str:
    """What files of format 1, in which parameters and slots had no level of their own, call a state.

    Example:
        >>> in_format_1("slots/dense/kernel/m"), in_format_1("position/epoch")
        ('optimizer/dense/kernel/m', 'random/epoch')
    """
    if level(name) == PARAMETERS:
        return within(name)
    moved = {SLOTS: OPTIMIZER, POSITION: RANDOM}
    return f"{moved.get(level(name), level(name))}/{within(name)}"
