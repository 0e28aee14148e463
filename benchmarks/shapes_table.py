"""What ``benchmarks.shapes`` measured, as Markdown: a row for each network, and what they say together."""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.limit import Bandwidth, Limit, describe
from benchmarks.peers import THALWEG
from benchmarks.table import markdown, number

LEAST_RATIO = 1.1
LARGE_FLOPS = 0.2e9  # of a step: from here on a row shall come near the limit
NEAR = 0.85
SHORT = {
    "jax_scan": "JAX",
    "keras_jax": "Keras",
    "torch_memory": "PyTorch",
    "torch_channels_last": "PyTorch, channels last",
}


class Row(NamedTuple):
    """A network's figures.

    ``arithmetic`` and ``memory`` are shares of thalweg's step: what the products take at the peak, and what reading the
    batch, and reading and writing parameters and slots takes at the measured bandwidth.
    """

    name: str
    network: str
    batch: int
    optimizer: str
    flops: float
    seconds: float
    ratios: dict[str, float]  # of the peers' seconds to thalweg's
    arithmetic: float
    memory: float

    @property
    def best(self) -> tuple[str, float]:
        """The fastest peer, and how many times thalweg's seconds it takes."""
        return min(self.ratios.items(), key=lambda item: item[1], default=("-", float("nan")))

    @property
    def is_short_of_the_limit(self) -> bool:
        """Whether it is large, and near neither limit."""
        return self.flops >= LARGE_FLOPS and max(self.arithmetic, self.memory) < NEAR


def report(results: dict[str, Any]) -> str:
    """The machine, the table, the summary."""
    limit = Limit(**{**results["limit"], "bandwidth": bandwidths(results["limit"]["bandwidth"])})
    about = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    rows = [row(found, limit) for found in results["rows"] if THALWEG in found["peers"]]
    failures = [
        f"Row {found['row']} of seed {found['seed']}: {name} failed: {(text.strip().splitlines() or ['?'])[-1]}"
        for found in results["rows"]
        for name, text in found["failed"].items()
    ]
    return "\n\n".join([about, describe(limit), table(rows), *summary(rows), *failures])


def bandwidths(found: dict[str, dict[str, float]]) -> dict[str, Bandwidth]:
    """From their saved form."""
    return {name: Bandwidth(int(level["buffer_bytes"]), level["read"], level["copy"]) for name, level in found.items()}


def row(found: dict[str, Any], limit: Limit) -> Row:
    """The figures of a saved row."""
    seconds = found["peers"][THALWEG]["seconds"]
    ratios = {name: each["seconds"] / seconds for name, each in found["peers"].items() if name != THALWEG}
    memory = found["data_bytes"] / limit.bandwidth["DRAM"].read + limit.rewrite_seconds(found["state_bytes"])
    return Row(
        name=f"{found['seed']}/{found['row']}",
        network=found["network"],
        batch=found["batch"],
        optimizer=found["optimizer"],
        flops=found["flops"],
        seconds=seconds,
        ratios=ratios,
        arithmetic=found["flops"] / limit.flops / seconds,
        memory=memory / seconds,
    )


def table(rows: Sequence[Row]) -> str:
    """A line for each row."""
    names = [name for name in SHORT if any(name in row.ratios for row in rows)]
    names += sorted({name for row in rows for name in row.ratios} - set(SHORT))
    header = [
        *("row", "network", "batch", "optimizer", "GFLOP a step", "thalweg ms", "best peer", "ratio"),
        *(SHORT.get(name, name) for name in names),
        *("share of the peak", "of the memory bound"),
    ]
    lines = [
        [
            *(row.name, row.network, str(row.batch), row.optimizer, number(row.flops / 1e9), number(1e3 * row.seconds)),
            *(SHORT.get(row.best[0], row.best[0]), f"{row.best[1]:.2f}"),
            *(f"{row.ratios[name]:.2f}" if name in row.ratios else "-" for name in names),
            *(f"{100 * row.arithmetic:.0f} %", f"{100 * row.memory:.0f} %"),
        ]
        for row in rows
    ]
    return markdown(header, lines)


def summary(rows: Sequence[Row]) -> list[str]:
    """Paragraphs: the worst and the mean ratio, the rows that fall short."""
    compared = [row for row in rows if row.ratios]
    paragraphs = []
    if compared:
        worst = min(compared, key=lambda row: row.best[1])
        mean = statistics.geometric_mean(row.best[1] for row in compared)
        paragraphs.append(
            f"Best peer / thalweg over {len(compared)} rows: geometric mean {mean:.2f}, worst {worst.best[1]:.2f} "
            f"(row {worst.name}), below {LEAST_RATIO}: {listed([r for r in compared if r.best[1] < LEAST_RATIO])}."
        )
    large = [row for row in rows if row.flops >= LARGE_FLOPS]
    short = [row for row in large if row.is_short_of_the_limit]
    paragraphs.append(
        f"Of {len(large)} rows with at least {LARGE_FLOPS / 1e9} GFLOP a step below {100 * NEAR:.0f} % of the peak "
        f"and of the memory bound: {listed(short)}."
    )
    return paragraphs


def listed(rows: Sequence[Row]) -> str:
    """Their names."""
    return ", ".join(row.name for row in rows) or "none"
