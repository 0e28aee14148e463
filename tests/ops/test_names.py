"""The functions of Keras's ``ops`` by their names: on arrays, on nodes and on symbols, against NumPy and Keras."""

import functools
from typing import Any

import numpy as np
import pytest
from tests.compute import compute, inputs

import thalweg
from thalweg import layers
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, DataError, DTypeError, GraphError, ShapeError, ThalwegError
from thalweg.graph.node import Node

ops: Any = thalweg.ops
R = np.random.default_rng(5)
X, Y = R.normal(size=(2, 3, 4))  # X and Y (3, 4)
P = R.uniform(0.1, 0.9, size=(3, 4))
V, W = R.normal(size=4), R.normal(size=4)
CUBE = R.normal(size=(2, 3, 4))
MISSING = np.where(X > 0.7, np.nan, X)
ODD = np.array([-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.7, -3.2])
EDGES = np.array([np.inf, -np.inf, np.nan, 0.0, 1.0])
INT = np.array([[7, -7, 3], [-3, 12, 0]])
BY = np.array([[2, 2, -2], [-2, 5, 4]])
BOOL = X > 0
IMAGE = R.normal(size=(2, 6, 5, 4))
KERNEL = R.normal(size=(3, 2, 4, 6))
SQUARE = R.normal(size=(3, 3))
SORTED = np.sort(V)
CLASSES = np.array([1, 0, 3])
PLACES = np.array([[0, 2], [1, 1], [3, 0]])


def case(name, *args, expected=None, **kwargs):
    """A call, and what it gives: NumPy's answer to the same call unless another function is given."""
    return pytest.param(name, args, kwargs, expected, id=f"{name}-{','.join(map(str, kwargs.values()))}"[:40])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def shares(x, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


ONE = (
    *("abs", "absolute", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fabs"),
    *("floor", "isfinite", "isnan", "isinf", "isneginf", "isposinf", "isreal", "negative", "rad2deg", "reciprocal"),
    *("sign", "signbit", "sin", "sinc", "sinh", "square", "tan", "tanh", "trunc", "ravel", "logical_not", "copy"),
)
TWO = (
    *("add", "arctan2", "divide", "equal", "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal"),
    *("heaviside", "hypot", "isclose", "less", "less_equal", "logaddexp", "logaddexp2", "maximum", "minimum", "mod"),
    *("multiply", "not_equal", "subtract", "true_divide", "vdot", "inner", "outer", "kron"),
)
FOLDS = ("sum", "mean", "prod", "max", "min", "amax", "amin", "ptp", "std", "var", "any", "all", "median")
FOLDS_OF_MISSING = ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")

CASES = [
    *(case(name, X) for name in ONE if name not in ("logical_not", "signbit")),
    *(case(name, X[0], Y[0]) for name in TWO),
    *(case(name, X, Y[:1]) for name in ("add", "maximum", "mod", "less", "hypot", "where")[:5]),
    *(case(name, X, axis=axis, keepdims=keepdims) for name in FOLDS for axis, keepdims in ((None, False), (1, True))),
    *(case(name, CUBE, axis=(0, -1)) for name in ("sum", "mean", "max", "std", "any")),
    *(case(name, MISSING, axis=1) for name in FOLDS_OF_MISSING),
    # whole numbers and truth values
    *(case(name, INT, BY) for name in ("floor_divide", "mod", "fmod", "add", "power", "divide")[:4]),
    *(case(name, INT, axis=0) for name in ("sum", "prod", "mean", "max", "argmin", "cumsum", "sort")),
    case("power", INT, 3),
    case("sqrt", [1, 4, 9]),
    case("mean", BOOL),
    *(case(name, BOOL, Y > 0) for name in ("logical_and", "logical_or", "logical_xor")),
    case("logical_not", BOOL),
    case("count_nonzero", INT, axis=1),
    case("add", [1, 2], 0.5),
    case("multiply", 2.0, [1.0, 2.0]),
    # of each number
    *(case(name, P) for name in ("log", "log10", "log1p", "log2", "sqrt", "arcsin", "arccos", "arctanh")),
    case("arccosh", 1 + P),
    case("arcsinh", np.array([0.0, -1e-8, 1e12, -1e12, 3.0])),
    case("arctan", np.array([0.0, 1.0, -1.0, 1e-9, 1e9, -np.inf, 0.999, 1.001])),
    case("arctan2", np.array([0.0, 1, -1, 1, -1, 0, 2]), np.array([0.0, 0, 0, -2, -2, -1, 1])),
    case("signbit", ODD),
    case("round", ODD),
    case("round", X, decimals=2),
    case("round", X * 1000, decimals=-2),
    case("clip", X, -0.5, 0.5),
    case("power", P, X),
    case("nan_to_num", EDGES, nan=1.5, posinf=7.0, neginf=-7.0),
    *(case(name, EDGES) for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "sign")),
    case("fmax", EDGES, EDGES[::-1]),
    case("logaddexp", EDGES[:2], EDGES[:2]),
    case("isclose", EDGES, EDGES, equal_nan=True),
    case("where", BOOL, X, Y),
    case("where", BOOL, X, 0.0),
    case(
        "divide_no_nan", X, np.where(BOOL, Y, 0), expected=lambda x, y: np.where(y == 0, 0, x / np.where(y == 0, 1, y))
    ),
    case("rsqrt", P, expected=lambda x: x**-0.5),
    case("erfc", ODD, expected=lambda x: 1 - ops.erf(x)),
    case("saturate_cast", np.array([-1e3, 12.7, 300.0]), "uint8", expected=lambda x, d: np.array([0, 12, 255])),
    # along axes
    *(case(name, X, axis=axis) for name in ("argmax", "argmin", "cumsum", "cumprod") for axis in (None, 0)),
    *(case(name, MISSING, axis=0) for name in ("nancumsum", "nancumprod", "nanargmax", "nanargmin", "nanmedian")),
    case("argmax", X, axis=1, keepdims=True),
    case("average", X, axis=1, weights=P),
    case("average", X, axis=1, weights=W),
    case("average", X),
    case("diff", X, n=2, axis=0),
    case("trapezoid", X, x=SORTED),
    case("logsumexp", X, axis=1, expected=lambda x, axis: np.log(np.exp(x).sum(axis))),
    case("norm", X, expected=lambda x: np.sqrt((x**2).sum())),
    *(case("norm", X, ord=ord, axis=1, expected=np.linalg.norm) for ord in (None, 1, 2, 3, 0, np.inf, -np.inf)),
    *(case("norm", X, ord=ord, axis=(0, 1), expected=np.linalg.norm) for ord in ("fro", 1, -1, np.inf)),
    case("normalize", X, axis=0, order=1, expected=lambda x, axis, order: x / np.abs(x).sum(axis)),
    case("normalize", X, expected=lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)),
    case("moments", X, axes=(1,), expected=lambda x, axes: (x.mean(axes), x.var(axes))),
    # sorting
    *(case(name, CUBE, axis=axis) for name in ("sort", "argsort") for axis in (1, -1, None)),
    case("sort", MISSING, axis=0),
    case("quantile", X, [0.1, 0.5, 1.0], axis=1),
    *(case("quantile", X, 0.3, axis=0, method=method) for method in ("lower", "higher", "midpoint", "nearest")),
    case("percentile", X, 30, keepdims=True),
    case("quantile", MISSING, 0.25, axis=1),
    case("nanquantile", MISSING, [0.2, 0.5], axis=1),
    case("nanpercentile", MISSING, 30),
    case("top_k", X, 2, expected=lambda x, k: (-np.sort(-x)[:, :k], np.argsort(-x)[:, :k])),
    case(
        "in_top_k",
        CLASSES,
        X,
        2,
        expected=lambda c, x, k: [i in row for i, row in zip(c, np.argsort(-x)[:, :k], strict=True)],
    ),
    case("searchsorted", SORTED, X),
    case("searchsorted", SORTED, SORTED, side="right"),
    case("digitize", X, SORTED),
    case("isin", INT, BY),
    # axes and shapes
    case("reshape", X, (2, -1)),
    case("transpose", CUBE, (1, 2, 0)),
    case("swapaxes", CUBE, 0, 2),
    case("moveaxis", CUBE, (0, 1), (-1, 0)),
    case("expand_dims", X, (0, -1)),
    case("squeeze", X[:, None, :, None], axis=1),
    case("squeeze", X[:, None, :, None]),
    case("broadcast_to", V, (3, 4)),
    *(case("flip", CUBE, axis=axis) for axis in (None, 1, (0, -1))),
    *(case(name, X) for name in ("fliplr", "flipud", "tril", "triu", "diagonal", "trace")),
    case("rot90", X, k=3),
    case("roll", CUBE, (1, -2), axis=(0, 2)),
    case("roll", X, 5),
    case("tril", CUBE, k=1),
    case("triu", CUBE, k=-1),
    case("diagonal", CUBE, offset=1, axis1=2, axis2=0),
    case("trace", CUBE, offset=-1, axis1=1, axis2=2),
    *(case("diag", V, k=k) for k in (0, 2, -1)),
    case("diag", X, k=1),
    case("diagflat", X, k=-1),
    # joining and parting
    case("concatenate", [X, Y]),
    case("concatenate", [X, Y], axis=1),
    case("concatenate", [X, INT[:, :1].repeat(4, 1)]),
    case("stack", [X, Y], axis=-1),
    case("append", X, Y),
    *(case(name, [X, Y]) for name in ("hstack", "vstack", "dstack")),
    *(case(name, [V, W]) for name in ("hstack", "vstack", "dstack")),
    case("split", X, 2, axis=1),
    case("split", X, [1, 3], axis=1),
    case("array_split", V, 3),
    case("hsplit", X, 2),
    case("vsplit", X, 3),
    case("dsplit", CUBE, 2),
    case("unstack", X, axis=1, expected=lambda x, axis: list(x.T)),
    case("tile", X, (2, 1, 3)),
    case("repeat", X, 2, axis=1),
    case("repeat", X, 2),
    case("meshgrid", V, W[:2]),
    case("meshgrid", V, W[:2], V[:3], indexing="ij"),
    case("pad", X, ((1, 0), (2, 1))),
    case("pad", X, 1, constant_values=7.0),
    *(case("pad", X, ((1, 2), (5, 3)), mode=mode) for mode in ("reflect", "symmetric", "edge", "wrap")),
    case("get_item", X, np.s_[1:, ::2], expected=lambda x, key: x[key]),
    case("slice", X, (1, 0), (2, -1), expected=lambda x, *_: x[1:3]),
    case(
        "slice_update",
        X,
        (1, 1),
        np.ones((2, 2)),
        expected=lambda x, *_: np.block([[x[:1]], [x[1:, :1], np.ones((2, 2)), x[1:, 3:]]]),
    ),
    # by index
    case("take", X, PLACES),
    case("take", X, [0, -1], axis=1),
    case("take_along_axis", X, PLACES, axis=1),
    case("take_along_axis", INT, np.array([[0, 1, 1]]), axis=0),
    case("one_hot", [1, 0, 5], 3, expected=lambda i, n: np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])),
    case("one_hot", PLACES, 4, axis=0, expected=lambda i, n, axis: np.moveaxis(np.eye(n)[i], -1, 0)),
    case("multi_hot", PLACES, 4, expected=lambda i, n: np.eye(n)[i].max(1)),
    case(
        "scatter",
        PLACES,
        np.ones(3),
        (4, 4),
        expected=lambda i, v, s: np.array([[0, 0, 1, 0], [0, 1, 0, 0], [0] * 4, [1, 0, 0, 0]]),
    ),
    case("scatter_update", X, np.array([[1], [0]]), Y[:2], expected=lambda x, i, u: np.stack([u[1], u[0], x[2]])),
    case("segment_sum", X, np.array([1, 0, 1]), 3, expected=lambda x, *_: np.stack([x[1], x[0] + x[2], 0 * x[0]])),
    case("segment_max", X, np.array([1, 0, 1]), 2, expected=lambda x, *_: np.stack([x[1], np.maximum(x[0], x[2])])),
    case("segment_min", X, np.array([1, 0, 1]), 2, expected=lambda x, *_: np.stack([x[1], np.minimum(x[0], x[2])])),
    case("segment_prod", X, np.array([1, 0, 1]), 2, expected=lambda x, *_: np.stack([x[1], x[0] * x[2]])),
    case("unravel_index", np.array([5, 11]), (3, 4)),
    # products
    case("matmul", X, Y.T),
    case("matmul", X, V),
    case("matmul", V, X.T),
    case("matmul", V, W),
    case("matmul", CUBE, Y.T),
    case("matmul", X, np.swapaxes(CUBE, 1, 2)),
    case("matmul", INT, BY.T),
    case("dot", CUBE, Y.T),
    case("dot", V, W),
    case("dot", X, 2.0),
    case("tensordot", CUBE, X, axes=2),
    case("tensordot", CUBE, X, axes=((1, 2), (0, 1))),
    case("tensordot", X, CUBE, axes=(1, -1)),
    *(case("cross", a, b) for a, b in ((SQUARE, SQUARE[::-1]),)),
    case("einsum", "ij,kj->ik", X, Y),
    case("einsum", "ij->j", X),
    case("einsum", "ii", SQUARE),
    case("einsum", "ii->i", SQUARE),
    case("einsum", "i,j,k->kij", V[:2], W, V),
    case("einsum", "...ij,...jk->...ik", CUBE, np.swapaxes(CUBE, 1, 2)),
    case("einsum", "bij,ij", CUBE, X),
    case("correlate", V, W[:2]),
    case("correlate", V, W[:3], mode="full"),
    case("correlate", V, W[:3], mode="same"),
    case("corrcoef", X),
    case("vander", V, N=3),
    case("vander", V, increasing=True),
    case("cdist", X, Y, expected=lambda x, y: np.linalg.norm(x[:, None] - y, axis=-1)),
    # made of nothing
    *(case(name, (2, 3)) for name in ("zeros", "ones")),
    *(case(name, X) for name in ("zeros_like", "ones_like")),
    case("full", (2, 2), 3.5),
    case("full_like", X, 2),
    case("eye", 3, 4, k=1),
    case("identity", 3),
    case("tri", 3, k=-1),
    case("arange", 5),
    case("arange", 1.0, 2.0, 0.25),
    case("linspace", 0, 1, 5),
    case("logspace", 0, 2, 3),
    case("geomspace", 1, 8, 4),
    *(case(name, 6) for name in ("bartlett", "blackman", "hamming", "hanning")),
    case("shape", CUBE),
    case("ndim", CUBE),
    case("size", CUBE),
    # what layers compute
    case("softmax", X, axis=0, expected=shares),
    case("glu", X, expected=lambda x: x[:, :2] * sigmoid(x[:, 2:])),
    case("binary_crossentropy", np.round(P), P, expected=lambda t, p: -t * np.log(p) - (1 - t) * np.log(1 - p)),
    case(
        "categorical_crossentropy",
        np.eye(4)[:3],
        X,
        from_logits=True,
        expected=lambda t, x, from_logits: -np.log(shares(x)[t > 0]),
    ),
    case("sparse_categorical_crossentropy", CLASSES, P, expected=lambda c, p: -np.log(p[range(3), c] / p.sum(1))),
    case(
        "layer_normalization",
        X,
        gamma=V,
        expected=lambda x, gamma: gamma * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-7),
    ),
    case("rms_normalization", X, expected=lambda x: x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-7)),
    case("batch_normalization", X, V, P[0], -1, expected=lambda x, m, v, axis: (x - m) / np.sqrt(v + 1e-3)),
    case("psnr", X, Y, 2.0, expected=lambda x, y, m: 10 * np.log10(m**2 / ((x - y) ** 2).mean())),
    case(
        "conv",
        IMAGE,
        KERNEL,
        expected=lambda x, k: np.einsum(
            "bhwijc,ijcf->bhwf", np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, (3, 2), (1, 2)), 3, -1), k
        ),
    ),
    case(
        "space_to_depth",
        IMAGE[:, :, :4],
        2,
        expected=lambda x, n: x.reshape(2, 3, 2, 2, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(2, 3, 2, 16),
    ),
]

OF_NUMPY = [
    # not asked of Keras, which has 32 bits on JAX, or wants other types of arguments there
    case("repeat", X, [1, 0, 2], axis=0),
    case("hypot", np.array([3e200, 0.0, np.inf]), np.array([4e200, 0.0, 1.0])),
    case("erfinv", ops.erf(ODD), expected=lambda x: ODD),
    case("bincount", [1, 0, 1, 3], minlength=5, expected=lambda x, minlength: [1, 2, 0, 1, 0]),
    case("mod", INT * 10**17 + 5, BY * 10**9 + 7),
    case("floor_divide", INT * 10**17 + 5, BY * 10**9 + 7),
    case("take", np.arange(5) * 2**40 + 3, [4, -5]),
    case("max_pool", IMAGE, 2, expected=lambda x, n: x[:, :, :4].reshape(2, 3, 2, 2, 2, 4).max((2, 4))),
    case("average_pool", IMAGE, 2, expected=lambda x, n: x[:, :, :4].reshape(2, 3, 2, 2, 2, 4).mean((2, 4))),
    case(
        "sparsemax",
        np.array([[0.1, 0.5, 0.3], [5.0, 1.0, 4.5]]),
        expected=lambda x: np.array([[4, 16, 10], [22.5, 0, 7.5]]) / 30,
    ),
]

OF_KERAS = [
    # more of what only Keras has, asked where it is installed
    *(
        case(name, X)
        for name in (
            "celu",
            "elu",
            "hard_shrink",
            "hard_sigmoid",
            "hard_silu",
            "hard_tanh",
            "leaky_relu",
            "log_sigmoid",
            "relu",
            "relu6",
            "selu",
            "sigmoid",
            "silu",
            "soft_shrink",
            "softplus",
            "softsign",
            "sparse_plus",
            "sparse_sigmoid",
            "squareplus",
            "tanh_shrink",
            "gelu",
        )
    ),
    case("threshold", X, 0.3, -1.0),
    *(
        case("conv", IMAGE, KERNEL, strides=s, padding=p, dilation_rate=d)
        for s, p, d in ((2, "same", 1), (1, "valid", 2), (2, "valid", 1))
    ),
    case("depthwise_conv", IMAGE, KERNEL[..., :2], padding="same"),
    case("separable_conv", IMAGE, KERNEL[..., :2], R.normal(size=(1, 1, 8, 3))),
    *(case("conv_transpose", IMAGE, np.swapaxes(KERNEL, 2, 3), strides=2, padding=p) for p in ("valid", "same")),
    *(case(name, IMAGE, 3, strides=2, padding="same") for name in ("max_pool", "average_pool")),
    case("depth_to_space", IMAGE, 2),
    *(case(name, IMAGE, (4, 3)) for name in ("adaptive_average_pool", "adaptive_max_pool")),
    case("dot_product_attention", IMAGE, IMAGE[::-1], IMAGE, is_causal=True),
    case("dot_product_attention", IMAGE, IMAGE[::-1], IMAGE, mask=R.uniform(size=(2, 1, 6, 6)) < 0.7),
    case("categorical_crossentropy", P, P[::-1]),
    case("binary_crossentropy", P, X, from_logits=True),
    case("sparse_categorical_crossentropy", CLASSES, X, from_logits=True),
    case("logsumexp", CUBE, axis=(0, 2), keepdims=True),
    case("scatter_update", X, PLACES, V[:3], reduction="add"),
]


def compare(got: Any, want: Any, rtol: float = 1e-9) -> None:
    if isinstance(want, tuple | list) and isinstance(got, tuple | list) and len(want) == len(got):
        for one, other in zip(got, want, strict=True):
            compare(one, other, rtol)
        return
    want = np.asarray(want)
    assert np.shape(got) == want.shape
    assert (np.asarray(got).dtype.kind == "b") == (want.dtype.kind == "b")
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-6 if np.asarray(got).dtype == np.float32 else 1e-9)


@pytest.mark.parametrize(("name", "args", "kwargs", "expected"), CASES + OF_NUMPY)
def test_of_arrays_and_of_nodes(name, args, kwargs, expected):
    """On arrays as NumPy or as the formula in the case says; on nodes the same."""
    with np.errstate(all="ignore"):
        want = (expected or getattr(np, name))(*args, **kwargs)
    got = getattr(ops, name)(*args, **kwargs)
    single = np.float32 in {getattr(part, "dtype", None) for part in (got if isinstance(got, list | tuple) else [got])}
    compare(got, want, 1e-5 if single else 1e-9)
    tensors = {f"x{i}": arg for i, arg in enumerate(args) if isinstance(arg, np.ndarray)}
    if not tensors:
        return
    nodes = dict(zip(tensors, inputs(**tensors), strict=True))
    made = getattr(ops, name)(*(nodes.get(f"x{i}", arg) for i, arg in enumerate(args)), **kwargs)
    if isinstance(made, list | tuple) and made and isinstance(made[0], Node):
        made = compute(list(made), **tensors)
    elif isinstance(made, Node):
        made = compute(made, **tensors)
    compare(made, got, 1e-12)


@functools.cache
def keras_ops():
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    return keras.ops


@pytest.mark.needs("keras", "jax")
@pytest.mark.parametrize(("name", "args", "kwargs", "expected"), OF_KERAS + CASES)
def test_against_keras(name, args, kwargs, expected):
    def single(x):
        return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x

    args = tuple([*map(single, arg)] if isinstance(arg, list) else single(arg) for arg in args)
    kwargs = {key: single(value) for key, value in kwargs.items()}
    want = getattr(keras_ops(), name)(*args, **kwargs)
    got = getattr(ops, name)(*args, **kwargs)

    def check(one, other):
        if isinstance(other, tuple | list):
            assert len(one) == len(other)
            for a, b in zip(one, other, strict=True):
                check(a, b)
        else:
            np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=2e-4, atol=2e-5)

    check(got, want)


def test_keyword_arguments_are_keras_s():
    np.testing.assert_array_equal(ops.clip(x=X, x_min=-0.1, x_max=0.1), np.clip(X, -0.1, 0.1))
    np.testing.assert_array_equal(ops.add(x1=X, x2=Y), X + Y)
    assert ops.reshape(X, newshape=(4, 3)).shape == (4, 3)


def test_numbers_and_lists_have_keras_s_dtypes():
    assert [ops.convert_to_tensor(x).dtype for x in (1, 1.5, True, [1, 2], [1.5], X, np.int8([1]))] == [
        *("int32", "float32", "bool", "int32", "float32", "float64", "int32")
    ]
    assert ops.multiply([1, 2], 0.5).dtype == ops.exp([1, 2]).dtype == np.float32
    assert ops.add(np.float32([1]), X[0, :1]).dtype == np.float64
    assert isinstance(ops.sum([1.0, 2.0]), np.ndarray)
    assert ops.cast([1.7], int).dtype == ops.zeros(2, np.int32).dtype == np.int32
    assert ops.split(X, np.array([1, 3]), axis=1)[1].shape == (3, 2)
    with pytest.raises(DTypeError, match="does not hold numbers"):
        ops.exp(["a"])


LITERALS = {
    "one number": np.full((3, 4), 2.5),
    "counting": np.arange(12.0).reshape(3, 4),
    "steps": np.linspace(1, 4, 4),
    "runs": np.repeat([3.0, -1.0, 7.5], 4).reshape(3, 4),
    "a diagonal": np.eye(3, 4),
    "any": W,
    "whole": np.array([3, 0, 5, 1]),
    "truth": np.array([True, False, True, True]),
}


@pytest.mark.parametrize("name", LITERALS)
def test_an_array_beside_a_node_is_a_constant(name):
    array = LITERALS[name]
    (x,) = inputs(x=X.astype(np.float32))
    want = X.astype(np.float32) * array.astype(np.float32)
    for y in (x * array, array * x, ops.multiply(array, x)):
        assert y.dtype == "float32"
        np.testing.assert_array_equal(compute(y, x=X.astype(np.float32)), want)


def test_arrays_in_compiled_code(executor):
    function = thalweg.compile_function(
        lambda x: [x * SORTED, ops.where(np.eye(3, 4) > 0, x, -1.0), x + ops.arange(4.0), ops.sort(x)],
        executor=executor,
    )
    for got, want in zip(
        function(X), [X * SORTED, np.where(np.eye(3, 4) > 0, X, -1), X + np.arange(4), np.sort(X)], strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-15)


def test_a_long_array_without_regularity_is_refused():
    (x,) = inputs(x=R.normal(size=1000))
    with pytest.raises(GraphError, match="a long array from outside") as caught:
        x * R.normal(size=1000)
    assert "an argument of the function" in caught.value.fix


SMOOTH = {
    "arctan": (X,), "arcsin": (P,), "arccos": (P,), "arctanh": (P,), "arcsinh": (X,), "arccosh": (1 + P,),
    "arctan2": (X, Y), "erfinv": (P,), "cbrt": (X,), "hypot": (X, Y), "sinh": (X,), "cosh": (X,), "tan": (X,),
    "logaddexp": (X, Y), "logsumexp": (X,), "std": (X,), "prod": (X,), "cumprod": (P,), "sort": (X,), "median": (V,),
    "norm": (X,), "normalize": (X,), "sparsemax": (X,),
    "einsum": ("ij,kj->ik", X, Y), "take_along_axis": (X, PLACES, 1),
    "celu": (X,), "glu": (X,), "squareplus": (X,), "log_sigmoid": (X,), "sparse_plus": (X,), "correlate": (V, W),
    "scatter": (PLACES, V[:3], (4, 4)), "segment_sum": (X, CLASSES, 4), "dot_product_attention": (IMAGE, IMAGE, IMAGE),
    "sinc": (X,), "layer_normalization": (X,), "mod": (X, Y), "corrcoef": (X,), "cdist": (X, Y), "fmod": (X, Y),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_differences(name):
    arrays = {f"x{i}": a for i, a in enumerate(SMOOTH[name]) if isinstance(a, np.ndarray) and a.dtype == np.float64}
    nodes = dict(zip(arrays, inputs(**arrays), strict=True))
    y = getattr(ops, name)(*(nodes.get(f"x{i}", arg) for i, arg in enumerate(SMOOTH[name])))
    loss = ops.sum(ops.sin(y + ops.cos(y)))
    way = {key: np.random.default_rng(1).normal(size=a.shape) for key, a in arrays.items()}
    slopes = compute(dict(zip(nodes, gradients(loss, list(nodes.values())), strict=True)), **arrays)
    step = 1e-6
    ahead, behind = (compute(loss, **{k: a + s * way[k] for k, a in arrays.items()}) for s in (step, -step))
    assert sum((slopes[k] * way[k]).sum() for k in arrays) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_on_symbols(tmp_path):
    """What becomes of functions between layers: one operation each, which a file keeps."""
    x = thalweg.Input((4,))
    y = ops.where(ops.greater(x, 0.0), x, ops.square(x))
    y = ops.concatenate([y, ops.expand_dims(ops.sum(x, axis=-1), -1)], axis=-1)
    first, second = ops.split(x, 2, axis=1)
    y = ops.concatenate([y, ops.einsum("bi,ij->bj", first - second, np.arange(4.0).reshape(2, 2))], axis=1)
    y = ops.take(ops.stack([y, y * 2], axis=1), np.array([6, 0]), axis=2)
    model = thalweg.Model(x, [y, ops.argmax(x, axis=-1), ops.one_hot(ops.argmax(x, -1), 4)])
    part = np.where(X > 0, X, X**2)
    part = np.concatenate([part, X.sum(1, keepdims=True), (X[:, :2] - X[:, 2:]) @ np.arange(4.0).reshape(2, 2)], 1)
    wanted = [np.stack([part, part * 2], 1)[:, :, [6, 0]], X.argmax(1), np.eye(4)[X.argmax(1)]]
    model.save(tmp_path / "m")
    for other in (model, thalweg.load_model(tmp_path / "m")):
        for got, want in zip(other.predict(X, verbose=0), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5)


def test_files_of_version_0_1_keep_their_axes():
    """``concatenate`` and ``argmax`` went along the last axis, and ``take`` along the first, unless told otherwise."""
    two = ({"symbol": 0}, {"symbol": 1})
    layer = layers.Operation("ops.concatenate", (two,))
    x, y = thalweg.Input((4,)), thalweg.Input((2,))
    assert layer(x, y).shape == (None, 6)
    assert layers.Operation("ops.argmax")(x).shape == (None,)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: ops.einsum("ij,jk", X), ArgumentError),
        (lambda: ops.einsum("ij,jk->ik", X, Y), ShapeError),
        (lambda: ops.split(X, 3, axis=1), ShapeError),
        (lambda: ops.unstack(X, 4), ShapeError),
        (lambda: ops.squeeze(X, 0), ShapeError),
        (lambda: ops.pad(X, 1, mode="mirror"), ArgumentError),
        (lambda: ops.pad(X, ((1, 1), (1, 1), (1, 1))), ShapeError),
        (lambda: ops.glu(X[:, :3]), ShapeError),
        (lambda: ops.quantile(X, 1.5), ArgumentError),
        (lambda: ops.top_k(X, 5), ShapeError),
        (lambda: ops.segment_sum(X, CLASSES), ArgumentError),
        (lambda: ops.scatter_update(X, PLACES, V[:3], reduction="max"), ArgumentError),
        (lambda: ops.norm(X, ord="nuc"), ShapeError),
        (lambda: ops.correlate(V, W, mode="all"), ArgumentError),
        (lambda: ops.conv(IMAGE, KERNEL, padding="full"), ArgumentError),
        (lambda: ops.take_along_axis(X, CLASSES, 1), ShapeError),
        (lambda: ops.dot_product_attention(IMAGE, IMAGE, IMAGE, attn_logits_soft_cap=1.0), ArgumentError),
        (lambda: ops.sparse_categorical_crossentropy(X, X), ShapeError),
        (lambda: ops.convert_to_numpy(inputs(x=X)[0]), GraphError),
        (lambda: ops.svd(inputs(x=X)[0]), GraphError),
        (lambda: ops.take([1, 2, 3], 3), DataError),
        (lambda: ops.take_along_axis(X, np.array([[-5]]), axis=1), DataError),
        (lambda: ops.nanquantile(X, 2.0), ArgumentError),
        (lambda: ops.cast(inputs(x=X)[0], "float16"), DTypeError),
        (lambda: ops.zeros((2,), np.complex64), DTypeError),
        (lambda: ops.concatenate(3.0), ArgumentError),
        (lambda: ops.sum(None), DTypeError),
        (lambda: ops.while_loop(lambda x: x < 1.0, lambda x: x + 1, inputs(x=np.array(0.0))[0]), GraphError),
        (lambda: ops.associative_scan(lambda x, y: x + y, X, axis=1), GraphError),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_with_all_parts(make, kind):
    with pytest.raises(kind) as caught:
        make()
    error = caught.value
    assert isinstance(error, ThalwegError)
    assert all((error.problem, error.expected, error.got, error.fix))


def test_conditions_and_loops():
    (x,) = inputs(x=X)
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    either = ops.cond(ops.sum(x) > 0, lambda: {"y": x}, lambda: {"y": -x})["y"]
    np.testing.assert_array_equal(compute(either, x=X), X * np.sign(X.sum()))
    third = ops.switch(ops.cast(ops.sum(ops.zeros_like(x)) + 2, "int32"), [lambda: x, lambda: 2 * x, lambda: 3 * x])
    np.testing.assert_array_equal(compute(third, x=X), 3 * X)
    assert ops.switch(5, [lambda: 0, lambda: 1]) == 1
    np.testing.assert_allclose(compute(ops.fori_loop(0, 3, lambda i, v: v * x + i, x), x=X), ((X * X) * X + 1) * X + 2)
    assert ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0)) == (4, 6)
    assert ops.while_loop(lambda i: i < 9, lambda i: i + 1, 0, maximum_iterations=3) == 3
    for given in (X, x):
        carry, sums = ops.scan(lambda s, row: (s + row, s + row), np.zeros(4), given)
        squares = ops.vectorized_map(lambda row: row * row, given)
        running = ops.associative_scan(lambda a, b: a + b, given, reverse=True)
        found = compute([carry, sums, squares, running], x=X) if given is x else (carry, sums, squares, running)
        for got, want in zip(found, (X.sum(0), X.cumsum(0), X * X, X[::-1].cumsum(0)[::-1]), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_what_is_there_for_arrays_alone():
    np.testing.assert_allclose(ops.matmul(ops.inv(SQUARE), SQUARE), np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(ops.unique([3, 1, 3]), [1, 3])
    assert ops.bitwise_and(6, 3) == 2
    np.testing.assert_array_equal(ops.convert_to_numpy([1, 2]), [1, 2])
