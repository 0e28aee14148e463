"""Results to tables of Markdown: the mean score of every method on every table, and how they compare."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.table import markdown
from benchmarks.tables.public import PUBLIC

TITLES = {
    "thalweg": "thalweg",
    "realmlp_td": "RealMLP-TD",
    "realmlp_td_s": "RealMLP-TD-S",
    "boosting": "boosting",
    "forest": "forest",
    "sklearn_mlp": "scikit-learn's network",
}
Result = dict[str, Any]


def scores_table(results: Sequence[Result]) -> str:
    """A row for each table: rows, columns, and the score of each method, the mean of its splits."""
    models = [model for model in TITLES if any(r["model"] == model for r in results)]
    rows = [
        (name, *(_mean([r["score"] for r in results if (r["table"], r["model"]) == (name, m)]) for m in models))
        for name in PUBLIC
        if any(r["table"] == name for r in results)
    ]
    return markdown(("table", *(TITLES[model] for model in models)), rows)


def comparison(results: Sequence[Result], ours: str = "thalweg") -> str:
    """A row for each other method, on the splits that it and we have: how far we are ahead, and where not."""
    own = {(r["table"], r["split"]): r for r in results if r["model"] == ours}
    rows = []
    for model in TITLES:
        pairs = [(own[key], r) for r in results if r["model"] == model and (key := (r["table"], r["split"])) in own]
        if model == ours or not pairs:
            continue
        by_table: dict[str, list[float]] = {}
        for mine, theirs in pairs:
            by_table.setdefault(mine["table"], []).append(mine["score"] - theirs["score"])
        ahead = {name: statistics.mean(values) for name, values in by_table.items()}
        behind = sorted((value, name) for name, value in ahead.items() if value < -0.5)
        rows.append(
            (
                TITLES[model],
                str(len(pairs)),
                f"{statistics.mean(a['score'] for a, _ in pairs):.2f}",
                f"{statistics.mean(b['score'] for _, b in pairs):.2f}",
                f"{sum(value > 0 for value in ahead.values())} of {len(ahead)}",
                ", ".join(f"{name} {value:.1f}" for value, name in behind) or "none",
            )
        )
    return markdown(("beside", "splits", "thalweg's mean", "its mean", "tables ahead", "behind by more than 0.5"), rows)


def seconds_table(results: Sequence[Result]) -> str:
    """A row for each table and split: the seconds of each method. Only where nothing else ran do they say anything."""
    models = [model for model in TITLES if any(r["model"] == model for r in results)]
    keys = sorted({(r["table"], r["split"]) for r in results}, key=lambda key: (list(PUBLIC).index(key[0]), key[1]))
    rows = []
    for table, split in keys:
        own = {r["model"]: r["seconds"] for r in results if (r["table"], r["split"]) == (table, split)}
        rows.append((f"{table}, {split}", *(f"{own[model]:.1f}" if model in own else "" for model in models)))
    return markdown(("table, split", *(TITLES[model] for model in models)), rows)


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f}" if values else ""
