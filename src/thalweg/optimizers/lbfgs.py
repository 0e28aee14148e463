"""L-BFGS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import ITERATIONS_STATE, Optimizer, Read, registry
from thalweg.optimizers.search import CHANGES, GRADIENT, OBJECTIVE, PAIRS_STATE, STEPS, Search

__all__ = ["LBFGS"]


@registry.register("lbfgs")
@dataclass(frozen=True)
class LBFGS(Optimizer):
    """A quasi-Newton method for the whole data at once: ``fit(..., batch_size="full")``, one iteration an epoch.

    The direction is ``-H g`` with an estimate H of the inverse Hessian made of the last ``history_size`` moves and
    changes of the gradient; a line search then finds a step that fulfils the strong Wolfe conditions, computing loss
    and gradient of all rows at each try. Best for smooth problems with some thousand rows: it converges where others
    come near. Dropout and other noise stay the same during an iteration.

    ``fit`` ends with ``history.stopped_by == "converged"`` as soon as the largest number of the gradient is at most
    ``tolerance_grad``, or a search along the gradient itself lowers neither it nor, by more than rounding, the loss.

    Arguments:
        learning_rate: the step that is tried first; 1 is Newton's.
        history_size: how many moves are kept.
        tolerance_grad: see above; single precision mostly ends the search before.

    Raises: ArgumentError for decay, clipping, averages and accumulation, which would not be the gradient of the loss;
        use a regularizer in place of ``weight_decay``.
    Source: Liu & Nocedal (1989), Math. Program. 45; Nocedal & Wright (2006), "Numerical Optimization", 2nd edition,
    algorithm 7.4 for the direction, equation 7.20 for its scale, algorithms 3.5 and 3.6 for the step.
    """

    learning_rate: Annotated[float, In("[0, inf)")] = field(default=1.0, kw_only=False)
    history_size: Annotated[int, In("[1, inf)")] = 10
    tolerance_grad: Annotated[float, In("[0, inf)")] = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        refused = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps", "use_ema")
        for name in refused:
            if getattr(self, name) not in (None, False):
                raise ArgumentError(
                    f"LBFGS: argument {name!r} does not go together with a line search",
                    expected="the gradient of the loss as it is",
                    got=f"{name}={getattr(self, name)!r}",
                    fix="use a kernel_regularizer" if name == "weight_decay" else "leave it out",
                )

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return (STEPS, CHANGES)

    def slot_type(self, slot: str, parameter: TensorType) -> TensorType:
        return parameter.with_shape((self.history_size, *parameter.shape))

    def states(self, parameters: Mapping[str, TensorType]) -> dict[str, tuple[TensorType, float | int]]:
        return super().states(parameters) | {PAIRS_STATE: (TensorType((), "int64"), 0)}

    def updates(
        self, parameters: Mapping[str, Node], gradients: Mapping[str, Node], read: Read = ops.state_node
    ) -> dict[str, Node]:
        """The counter alone: the parameters are moved by the search, see ``optimizers.search``."""
        return {ITERATIONS_STATE: read(ITERATIONS_STATE, (), "int64") + 1}

    def outputs(self, loss: Node, gradients: Mapping[str, Node]) -> dict[str, Node]:
        """What the search wants to know of every point that it tries."""
        slopes = {f"{GRADIENT}/{path}": slope for path, slope in gradients.items()}
        return {OBJECTIVE: ops.cast(loss, "float64"), **slopes}

    def stepper(self, paths: Sequence[str]) -> Search:
        return Search(tuple(paths), self.history_size, self.tolerance_grad)

    def check_fit(self, steps: int | None, constrained: Sequence[str]) -> None:
        """Raise ArgumentError for several batches an epoch, or constrained parameters."""
        if steps != 1:
            raise ArgumentError(
                "LBFGS needs the loss of all rows at once",
                expected="one step an epoch",
                got="a stream of batches" if steps is None else f"{steps} steps an epoch",
                fix="pass arrays, and batch_size='full', to fit",
            )
        if constrained:
            raise ArgumentError(
                "LBFGS cannot keep a parameter within a constraint",
                expected="parameters without constraints",
                got=f"a constraint on {constrained[0]!r}",
                fix="use another optimizer, or leave the constraint out",
            )
