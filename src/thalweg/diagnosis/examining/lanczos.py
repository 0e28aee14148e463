"""The ends of the spectrum of a symmetric matrix that is known by its products with vectors only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thalweg.errors import InsufficientMemoryError, NonFiniteError
from thalweg.fields import dataclass

__all__ = ["Ends", "ends"]

BASIS_BYTES = 512 << 20
"""Of the vectors that are kept; a matrix of a size that leaves fewer than ``FEWEST`` of them is too large."""

FEWEST = 8

BROKEN_DOWN = 1e-12
"""What is left of a product, relative to the matrix: rounding. The vectors so far span all that there is to find."""


@dataclass(frozen=True)
class Ends:
    """The largest and the smallest eigenvalue, and their vectors (of length 1).

    Attributes:
        largest_error, smallest_error: there is an eigenvalue within this distance.
        products: how many were taken.
    """

    largest: float
    smallest: float
    largest_error: float
    smallest_error: float
    largest_vector: np.ndarray
    smallest_vector: np.ndarray
    products: int


def ends(
    product: Callable[[np.ndarray], np.ndarray],
    size: int,
    *,
    products: int = 60,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> Ends:
    """By at most so many products, fewer once both ends are known to ``tolerance``, relative to the larger one.

    Numerics: every new vector is made orthogonal to all before, twice. Without, rounding lets copies of an eigenvalue
    that has been found come back. The distance to an eigenvalue is bounded by what is left, ``beta |s|``, s the last
    entry of the vector in the basis.

    Raises: NonFiniteError if a product is not finite; InsufficientMemoryError for a matrix too large to keep vectors.
    Source: Lanczos (1950), J. Res. Nat. Bur. Stand. 45; Parlett (1980), The Symmetric Eigenvalue Problem, 13.1, 13.8.
    """
    most = min(size, products, BASIS_BYTES // (8 * size))
    if most < min(size, products, FEWEST):
        raise InsufficientMemoryError(
            "the vectors of a Lanczos process take too much memory",
            expected=f"at most {BASIS_BYTES // (8 * FEWEST):,} trained numbers",
            got=f"{size:,}",
            fix="freeze layers of a copy of the model, and examine what is left",
        )
    basis = np.empty((most, size))
    start = np.random.default_rng(seed).standard_normal(size)
    basis[0] = start / np.linalg.norm(start)
    alphas: list[float] = []
    betas: list[float] = []
    while True:
        step = len(alphas)
        w = product(basis[step])
        if not np.isfinite(w).all():
            raise NonFiniteError(
                "a product of the Hessian with a vector is not finite",
                expected="second derivatives of a finite loss",
                got="NaN or infinity",
                fix="look at the loss and the data: an operation is at a point where it has no second derivative",
            )
        alphas.append(float(basis[step] @ w))
        known = basis[: step + 1]
        for _ in range(2):
            w = w - known.T @ (known @ w)
        beta = float(np.linalg.norm(w))
        found = _found(known, alphas, betas, beta)
        scale = max(abs(found.largest), abs(found.smallest))
        worst = max(found.largest_error, found.smallest_error)
        if step + 1 == most or worst <= tolerance * scale or beta <= BROKEN_DOWN * scale:
            return found
        betas.append(beta)
        basis[step + 1] = w / beta


def _found(basis: np.ndarray, alphas: list[float], betas: list[float], beta: float) -> Ends:
    """The eigenvalues of the tridiagonal matrix so far."""
    values, vectors = np.linalg.eigh(np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1))
    rest = beta if len(alphas) < basis.shape[1] else 0.0  # of a whole basis nothing is left but rounding
    rounding = float(np.finfo(np.float64).eps) * len(alphas) * float(np.abs(values).max())
    return Ends(
        float(values[-1]),
        float(values[0]),
        rest * abs(float(vectors[-1, -1])) + rounding,
        rest * abs(float(vectors[-1, 0])) + rounding,
        basis.T @ vectors[:, -1],
        basis.T @ vectors[:, 0],
        len(alphas),
    )
