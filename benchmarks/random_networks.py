"""Random networks to train: ``network(seed, row)`` is always the same one, whatever else is drawn.

Sizes are drawn so that each doubling is as likely as the next. What would take too long or too much memory, or is over
in no time, is drawn again. Muon and L-BFGS are left out: their own products are no part of the FLOPs counted here.

Loaded by every timed process: nothing heavy here.
"""

import math
from collections.abc import Iterator, Sequence
from random import Random

from benchmarks.layers import Conv, Dense, Flatten, GlobalAveragePool, Layer, MaxPool, Residual, Shape, mlp, shapes
from benchmarks.workloads import SLOTS, Optimizer, Source, Workload

WIDTHS, DEPTHS, BATCHES, CLASSES = (8, 4096), (1, 20), (1, 10_000), (2, 1000)
SIDES, CHANNELS, KERNELS, BLOCKS = (8, 64), (1, 128), (1, 7), (1, 10)
COMMON = ("adam", "adamw", "rmsprop", "sgd")  # drawn as often as all others together
OTHERS = tuple(rule for rule in SLOTS if rule not in COMMON)
RATE = 1e-5  # so low that the numbers stay as they were drawn: neither overflow nor denormals, whatever the network

STEP_FLOPS = (1e5, 1e10)
EPOCH_FLOPS = 1e10  # for so much work there are rows, within these steps an epoch:
STEPS = (4, 1000)
BATCH_BYTES, DATA_BYTES = 1 << 25, 1 << 27
PARAMETER_BYTES = 1 << 26
ACTIVATION_BYTES = 1 << 28  # of a batch in all layers


def network(seed: int, row: int) -> Workload:
    """One row of the table; odd rows are of images."""
    random = Random(f"{seed}/{row}")
    while True:
        shape, layers = images(random) if row % 2 else rows(random)
        batch_size = between(random, *BATCHES)
        layers = tuple(layer if batch_size > 1 else without_normalization(layer) for layer in layers)
        rule = random.choice(random.choice((COMMON, OTHERS)))
        drawn = workload(f"{seed}/{row}", shape, layers, batch_size, Optimizer(rule, RATE))
        if is_feasible(drawn):
            return drawn


def workload(name: str, shape: Shape, layers: tuple[Layer, ...], batch_size: int, optimizer: Optimizer) -> Workload:
    """With as many rows as make an epoch long enough to be timed."""
    *_, last = layers
    assert isinstance(last, Dense)

    def of(steps: int) -> Workload:
        source = Source(f"random-{name.replace('/', '-')}", steps * batch_size, batch_size, shape, last.units)
        return Workload(name, source, layers, batch_size, optimizer, epochs=1, about=about(shape, layers))

    one = of(1)
    wanted = min(EPOCH_FLOPS / one.epoch_flops, DATA_BYTES / one.epoch_data_bytes)
    return of(round(min(max(wanted, STEPS[0]), STEPS[1])))


def is_feasible(drawn: Workload) -> bool:
    """Whether a step has neither too much nor too little to do, and fits."""
    numbers = sum(map(math.prod, everything(drawn.layers, drawn.source.shape)))
    return (
        STEP_FLOPS[0] <= drawn.epoch_flops / drawn.steps_per_epoch <= STEP_FLOPS[1]
        and 4 * drawn.batch_size * drawn.source.features <= BATCH_BYTES
        and 4 * drawn.batch_size * numbers <= ACTIVATION_BYTES
        and 4 * drawn.parameter_count <= PARAMETER_BYTES
    )


def everything(layers: Sequence[Layer], shape: Shape) -> Iterator[Shape]:
    """The shapes of all results, those inside of residual blocks too."""
    for layer, given, result in zip(layers, shapes(layers, shape), shapes(layers, shape)[1:], strict=False):
        if isinstance(layer, Residual):
            yield from everything(layer.body, given)
            yield from everything(layer.shortcut, given)
        yield result


def rows(random: Random) -> tuple[Shape, tuple[Layer, ...]]:
    """A network of dense layers: all of one width, or each of its own."""
    hidden = between(random, *DEPTHS) - 1
    one_width, normalized, has_dropout = (random.random() < share for share in (0.5, 0.3, 0.3))
    widths = [between(random, *WIDTHS)] * hidden if one_width else [between(random, *WIDTHS) for _ in range(hidden)]
    dropout = round(random.uniform(0.1, 0.5), 1) if has_dropout else 0.0
    *others, last = mlp(*widths, between(random, *CLASSES))
    layers = (*(layer._replace(normalized=normalized, dropout=dropout) for layer in others), last)
    return (between(random, *WIDTHS),), layers


def images(random: Random) -> tuple[Shape, tuple[Layer, ...]]:
    """Blocks of convolutions, all of them normalised or none; then one or two dense layers."""
    side = between(random, *SIDES)
    shape: Shape = (side, side, between(random, *CHANNELS))
    normalized = random.random() < 0.5
    layers: list[Layer] = [convolution(random, shape, normalized)]
    for _ in range(between(random, *BLOCKS) - 1):
        layers.append(block(random, shapes(layers, shape)[-1], normalized))
    layers.append(GlobalAveragePool() if random.random() < 0.5 else Flatten())
    hidden = [between(random, *WIDTHS)] if random.random() < 0.3 else []
    return shape, (*layers, *mlp(*hidden, between(random, *CLASSES)))


def block(random: Random, shape: Shape, normalized: bool) -> Layer:
    """One of: a convolution, a depthwise one, two with a way around them, a pooling."""
    side = min(shape[:2])
    kind = random.choice(("convolution", "convolution", "depthwise", "residual", "pooling"))
    if kind == "depthwise":
        return convolution(random, shape, normalized)._replace(filters=None)
    if kind == "residual":
        first = convolution(random, shape, normalized)._replace(padding="same")
        size = random.choice((1, 3, 5, 7))
        first, second = (first._replace(size=size), Conv(first.filters, size, activation="linear"))
        around = Conv(first.filters, 1, first.strides, activation="linear", normalized=normalized)
        same = first.strides == 1 and first.filters == shape[-1]
        return Residual((first, second._replace(normalized=normalized)), () if same else (around,))
    if kind == "pooling" and side > 1:
        return MaxPool(random.randint(2, min(side, 3)), dropout=random.choice((0.0, 0.0, 0.25)))
    return convolution(random, shape, normalized)


def convolution(random: Random, shape: Shape, normalized: bool) -> Conv:
    """Of any size that there is room for; of odd sizes with zeros around the image or without them."""
    side = min(shape[:2])
    size = random.randint(KERNELS[0], min(KERNELS[1], side))
    same = size % 2 == 1 and random.random() < 0.7  # PyTorch cannot pad unevenly
    strides = random.choice((1, 1, 1, 2, 3)) if side > 3 else 1
    return Conv(between(random, *CHANNELS), size, strides, "same" if same else "valid", normalized=normalized)


def without_normalization(layer: Layer) -> Layer:
    """For batches of one, which have no variance."""
    if isinstance(layer, Residual):
        ways = (tuple(map(without_normalization, way)) for way in (layer.body, layer.shortcut))
        return Residual(*ways)
    return layer._replace(normalized=False) if isinstance(layer, (Dense, Conv)) else layer


def between(random: Random, low: int, high: int) -> int:
    """A whole number of at least ``low`` and at most ``high``, each doubling as likely as the next."""
    return min(int(math.exp(random.uniform(math.log(low), math.log(high + 1)))), high)


def about(shape: Shape, layers: Sequence[Layer]) -> str:
    """The network in a few signs: ``32x32x3: c3x64n dw5/2n r(c3x64n c3x64n) max2 mean d10``."""
    return f"{'x'.join(map(str, shape))}: {repeated([text(layer) for layer in layers])}"


def repeated(texts: Sequence[str]) -> str:
    """Three or more equal layers in a row once, with their number."""
    parts: list[tuple[str, int]] = []
    for each in texts:
        count = parts.pop()[1] if parts and parts[-1][0] == each else 0
        parts.append((each, count + 1))
    return " ".join(f"{count} x {each}" if count > 2 else " ".join([each] * count) for each, count in parts)


def text(layer: Layer) -> str:
    """A layer in a few signs: kind, size, count, strides; n: normalised, v: without zeros around, then the dropout."""
    match layer:
        case Dense(units, _, normalized, dropout):
            return f"d{units}" + "n" * normalized + (f"-{dropout}" if dropout else "")
        case Conv(filters, size, strides, padding, _, normalized):
            steps = f"/{strides}" if strides > 1 else ""
            kind = f"c{size}x{filters}" if filters else f"dw{size}"
            return kind + steps + "v" * (padding == "valid") + "n" * normalized
        case MaxPool(size, dropout):
            return f"max{size}" + (f"-{dropout}" if dropout else "")
        case GlobalAveragePool():
            return "mean"
        case Flatten():
            return "flat"
        case Residual(body, shortcut):
            inside = " + ".join(" ".join(map(text, way)) for way in (body, shortcut) if way)
            return f"r({inside})"
