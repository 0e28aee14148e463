"""What is computed of arrays alone, by NumPy: its shapes depend on the numbers, or it has no gradient here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thalweg.errors import GraphError
from thalweg.ops.creation import is_tensor
from thalweg.ops.literal import named_dtype, plain_array

_OF_NUMPY: Mapping[str, Callable[..., Any]] = {
    # linear algebra
    "cholesky": np.linalg.cholesky,
    "det": np.linalg.det,
    "eig": np.linalg.eig,
    "eigh": np.linalg.eigh,
    "inv": np.linalg.inv,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "lstsq": lambda a, b, rcond=None: np.linalg.lstsq(a, b, rcond)[0],
    "matrix_rank": np.linalg.matrix_rank,
    "pinv": np.linalg.pinv,
    "qr": np.linalg.qr,
    "slogdet": np.linalg.slogdet,
    "solve": lambda a, b: np.linalg.solve(a, b),
    "svd": np.linalg.svd,
    "solve_triangular": lambda a, b, lower=False: np.linalg.solve(np.tril(a) if lower else np.triu(a), b),
    # whole numbers
    "bitwise_and": np.bitwise_and,
    "bitwise_invert": np.invert,
    "bitwise_left_shift": np.left_shift,
    "bitwise_not": np.invert,
    "bitwise_or": np.bitwise_or,
    "bitwise_right_shift": np.right_shift,
    "bitwise_xor": np.bitwise_xor,
    "gcd": np.gcd,
    "lcm": np.lcm,
    "left_shift": np.left_shift,
    "right_shift": np.right_shift,
    # as many results as the numbers say
    "histogram": lambda x, bins=10, range=None: np.histogram(x, bins, range),
    "nonzero": np.nonzero,
    "unique": lambda x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None: (
        np.unique(x, return_index, return_inverse, return_counts, axis)
    ),
    # the rest
    "allclose": np.allclose,
    "i0": np.i0,
    "ldexp": np.ldexp,
    "nextafter": np.nextafter,
    "view": lambda x, dtype=None: np.asarray(x).view(named_dtype(dtype)),
}

__all__ = list(_OF_NUMPY)


def _of_arrays(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arrays: Any, **options: Any) -> Any:
        if any(map(is_tensor, arrays)):
            raise GraphError(
                f"ops.{name} is computed of arrays alone",
                expected="arrays, lists or numbers",
                got=", ".join(map(repr, arrays))[:200],
                fix="compute it before the model, from the data; or put it together from other operations",
            )
        return function(*(plain_array(x) if isinstance(x, list | tuple) else x for x in arrays), **options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"NumPy's {name}, of arrays alone. Shapes: NumPy's. Raises: GraphError: for a tensor of the graph."
    return call


for _name, _function in _OF_NUMPY.items():
    globals()[_name] = _of_arrays(_name, _function)
