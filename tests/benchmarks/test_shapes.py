"""Random networks for the benchmark, and the table: no timings."""

import itertools
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from random import Random

import numpy as np
import pytest
from benchmarks.arrays import Arrays
from benchmarks.layers import Conv, Dense, Residual
from benchmarks.limit import Bandwidth, Limit
from benchmarks.peers import JAX_RULES, KERAS_RULES, PEERS, TORCH_RULES
from benchmarks.peers.keras_like import OPTIMIZERS, compiled_model
from benchmarks.peers.task import Clock, Task
from benchmarks.pieces import Piece, figures_of
from benchmarks.random_networks import between, network
from benchmarks.shapes_table import report, row
from benchmarks.workloads import SLOTS, Optimizer, Source, Workload

import thalweg
import thalweg.layers
import thalweg.optimizers
from benchmarks import random_networks
from thalweg.graph.types import TensorType

DRAWN = [network(seed, number) for seed in range(3) for number in range(40)]
LIMIT = Limit(2, 16, 200e9, 100e9, {level: Bandwidth(1 << 40, 100e9, 50e9) for level in ("L2", "L3", "DRAM")})
TINY = Workload(
    *("tiny", Source("none", 12, 4, (6,), 3)),
    layers=(Dense(5, "relu", normalized=True, dropout=0.2), Dense(3, "softmax")),
    batch_size=4,
    optimizer=Optimizer("adam", 0.01),
    epochs=2,
)


def test_rows_are_the_same_in_every_process():
    code = "from benchmarks.random_networks import network; print([network(1, row) for row in range(6)])"
    root = Path(random_networks.__file__).parent.parent
    printed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str([network(1, row) for row in range(6)])


def test_rows_differ():
    assert len({(workload.source.shape, workload.layers, workload.batch_size) for workload in DRAWN}) == len(DRAWN)
    assert {workload.source.form for workload in DRAWN} == {"rows", "images"}
    assert {workload.optimizer.name for workload in DRAWN} == set(SLOTS)


def test_steps_have_enough_to_do_and_not_too_much():
    for workload in DRAWN:
        assert 1e5 <= workload.epoch_flops / workload.steps_per_epoch <= 1e10
        assert workload.source.train_rows == workload.steps_per_epoch * workload.batch_size  # all batches alike
        assert 4 <= workload.steps_per_epoch <= 1000


def test_nothing_is_normalised_over_a_single_row():
    ones = [workload for workload in DRAWN if workload.batch_size == 1]
    assert ones
    assert not any("n" in sizes for workload in ones for sizes in workload.about.replace("mean", "").split())


def test_sizes_are_spread_over_all_doublings():
    random = Random(0)
    drawn = [between(random, 8, 4096) for _ in range(9000)]
    assert min(drawn) == 8
    assert max(drawn) > 4000
    counts = np.bincount([int(math.log2(size)) for size in drawn])[3:12]
    np.testing.assert_allclose(counts, 1000, rtol=0.15)


def test_padded_kernels_have_a_middle():
    """PyTorch pads both sides alike."""
    for workload in DRAWN:
        inner = itertools.chain(
            *(layer.body + layer.shortcut for layer in workload.layers if isinstance(layer, Residual))
        )
        for layer in (*workload.layers, *inner):
            assert not isinstance(layer, Conv) or layer.padding == "valid" or layer.size % 2


@pytest.mark.parametrize("workload", DRAWN[1:12:2], ids=lambda workload: workload.name)
def test_thalweg_and_the_workload_agree_about_the_shapes(workload):
    model = compiled_model(thalweg, workload)
    assert model.output_shape == (None, workload.source.classes)
    trained = sum(parameter.type.size for parameter in model.parameters(trainable_only=True).values())
    assert trained == workload.parameter_count


@pytest.mark.needs("torch")
@pytest.mark.parametrize("workload", DRAWN[1:12:2], ids=lambda workload: workload.name)
def test_pytorch_trains_the_same_parameters(workload):
    from benchmarks.peers.torch_model import build

    network = build(Task(PEERS["torch_channels_last"], workload, 1, 0, 1, Path()))
    assert sum(parameter.numel() for parameter in network.parameters()) == workload.parameter_count
    x = np.zeros((2, *workload.source.shape), np.float32)
    import torch

    assert network(torch.from_numpy(x)).shape == (2, workload.source.classes)


RULES = [
    *(("thalweg", rule) for rule in KERAS_RULES),
    *(pytest.param("torch_memory", rule, marks=pytest.mark.needs("torch")) for rule in TORCH_RULES),
    *(pytest.param("jax_scan", rule, marks=[pytest.mark.needs("jax"), pytest.mark.long]) for rule in JAX_RULES),
]


@pytest.mark.parametrize(("peer", "rule"), RULES)
def test_every_peer_has_the_rules_that_it_says(peer, rule):
    random = np.random.default_rng(0)
    x, y = random.random((16, 6), np.float32), random.integers(0, 3, 16).astype(np.int32)
    clock, module = Clock(), import_module(f"benchmarks.peers.{PEERS[peer].module}")
    task = Task(PEERS[peer], TINY._replace(optimizer=Optimizer(rule, 0.01)), 2, 0, 1, Path())
    module.train(task, Arrays(x[:12], y[:12], x[12:], y[12:]), clock)
    assert np.isfinite(clock.losses).all()
    assert len(clock.losses) == 2


def test_slots_are_those_of_the_optimizers():
    for name, (kind, arguments) in OPTIMIZERS.items():
        optimizer = getattr(thalweg.optimizers, kind)(**arguments)
        if name != "adafactor":  # its slots are vectors
            slots = optimizer.slots(TensorType((3, 4), "float32"), "kernel")
            assert len([slot for slot in slots if slot != "product"]) == SLOTS[name], name


def saved(number: int, flops: float, **milliseconds: float) -> dict[str, object]:
    return {
        "seed": 0,
        "row": number,
        "network": "8: d3",
        "batch": 32,
        "optimizer": "adam",
        "flops": flops,
        "state_bytes": 25_000_000,
        "data_bytes": 0,
        "steps": 10,
        "failed": {},
        "peers": {name: {"seconds": value / 1000} for name, value in milliseconds.items()},
    }


def test_table_has_ratios_shares_and_what_falls_short():
    rows = [
        saved(0, 1e9, thalweg=10, jax_scan=20, torch_memory=40),
        saved(1, 1e8, thalweg=10, jax_scan=9, torch_memory=40),
        saved(2, 1.9e9, thalweg=10, torch_memory=45),
        saved(3, 1e9, thalweg=1.1, keras_jax=4.4),
    ]
    limit = {**LIMIT._asdict(), "bandwidth": {name: level._asdict() for name, level in LIMIT.bandwidth.items()}}
    rows[2]["failed"] = {"keras_jax": "Traceback\nValueError: no"}
    text = report({"machine": {"cpu": "some"}, "limit": limit, "rows": rows})
    assert "| 0/0 | 8: d3 | 32 | adam | 1.00 | 10.0 | JAX | 2.00 | 2.00 | - | 4.00 | 50 % | 10 % |" in text
    assert "| 0/3 | 8: d3 | 32 | adam | 1.00 | 1.10 | Keras | 4.00 | - | 4.00 | - | 455 % | 91 % |" in text
    assert "over 4 rows: geometric mean 2.39, worst 0.90 (row 0/1), below 1.1: 0/1." in text
    assert "Of 3 rows with at least 0.2 GFLOP a step below 85 % of the peak and of the memory bound: 0/0." in text
    assert "Row 2 of seed 0: keras_jax failed: ValueError: no" in text


def test_a_row_at_the_memory_bound_does_not_fall_short():
    assert not row(saved(0, 1e9, thalweg=1.1, keras_jax=4.4), LIMIT).is_short_of_the_limit
    assert row(saved(0, 1e9, thalweg=10), LIMIT).is_short_of_the_limit
    assert not row(saved(0, 1e8, thalweg=10), LIMIT).is_short_of_the_limit


def test_disturbed_pieces_count_only_if_there_are_no_others():
    calm, disturbed = Piece(2.0, 0.0, 0.7, {"2": 20}, epochs=2), Piece(9.0, 3.0, 0.6, {"1": 10})
    assert figures_of([disturbed, calm, disturbed], 10) == {
        "seconds": 0.1,
        "all": [0.1],
        "pieces": 3,
        "disturbed": 2,
        "loss": 0.6,
        "threads": {"2": 20},
    }
    assert figures_of([disturbed], 10)["seconds"] == 0.9
