"""The arithmetic of the benchmarks: FLOP counts by hand, the disturbed-run rule, the table. No timings."""

from typing import Any

import pytest
from benchmarks.disturbance import FOREIGN_FLOOR_SECONDS, FOREIGN_SHARE, foreign_seconds, is_disturbed
from benchmarks.layers import mlp, regularized
from benchmarks.limit import Bandwidth, Limit
from benchmarks.peers import PEERS
from benchmarks.peers.quickest import quickest
from benchmarks.peers.task import Clock
from benchmarks.runner import Job, Run, describe
from benchmarks.table import heading, number, report, sizes, summarize
from benchmarks.workloads import ADAM, SETTINGS, WORKLOADS, Source, Workload, rates

LIMIT = Limit(2, 16, 1e9, 5e8, {level: Bandwidth(1 << 20, 1e9, 1e9) for level in ("L2", "L3", "DRAM")})


def run_of(peer: str, workload: str = "mnist_mlp", cache: str = "cold", **figures: Any) -> Run:
    result: dict[str, Any] = {
        "setup_seconds": 0.5,
        "import_seconds": 0.1,
        "peak_bytes": 2e8,
        "accuracy": 0.98,
        "epoch_seconds": [3, 2, 1],
    }
    result = {**result, **figures}
    result.setdefault("first_epoch_seconds", result["epoch_seconds"][0])
    wall = figures.get("wall", 9.0)
    return Run(Job(WORKLOADS[workload], PEERS[peer], cache), result, wall, 0.0, figures.get("disturbed", False))


def test_flops_of_an_epoch_by_hand():
    workload = Workload("small", Source("none", 10, 10, (3,), 2), mlp(4, 2), 4, ADAM, epochs=1)
    first, second = 2 * 3 * 4, 2 * 4 * 2  # one product each; the first layer needs no gradient of its input
    assert workload.epoch_flops == 10 * (2 * first + 3 * second)
    assert workload.parameter_count == 3 * 4 + 4 + 4 * 2 + 2
    assert workload.state_bytes == 4 * 26 * 3
    assert workload.steps_per_epoch == 3


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("mnist_mlp", 60_000 * (2 * 2 * 784 * 512 + 3 * 2 * 512 * 10)),
        ("tiny_mlp", 60_000 * (2 * 2 * 784 * 32 + 3 * 2 * 32 * 10)),
        ("deep_narrow", 50_000 * (2 * 2 * 64 * 64 + 19 * 3 * 2 * 64 * 64 + 3 * 2 * 64 * 10)),
        ("tabular_mlp", 200_000 * (2 * 2 * 54 * 256 + 3 * 3 * 2 * 256 * 256 + 3 * 2 * 256 * 7)),
        ("population", 24 * 60_000 * (2 * 2 * 784 * 64 + 3 * 2 * 64 * 10)),
    ],
)
def test_flops_of_the_workloads(name, flops):
    assert WORKLOADS[name].epoch_flops == flops


def test_prediction_is_the_way_forward_alone():
    one = 2 * (784 * 512 + 512 * 10)
    assert WORKLOADS["predict_mlp"].epoch_flops == WORKLOADS["evaluate_mlp"].epoch_flops == 60_000 * one
    assert heading(WORKLOADS["predict_mlp"]) == "### predict_mlp: predict, 784-512-10, 60,000 rows"
    able = [name for name, peer in PEERS.items() if peer.supports(WORKLOADS["predict_mlp"])]
    assert able == ["thalweg", "keras_jax", "torch_memory"]
    assert PEERS["torch_channels_last"].supports(WORKLOADS["predict_cnn"])


def test_the_quickest_batch_size_is_taken(monkeypatch):
    now = 0.0

    def once(size):
        nonlocal now
        now += abs(size - 512)
        return 0.0

    monkeypatch.setattr("benchmarks.peers.quickest.perf_counter", lambda: now)
    assert quickest(once) == 512


def test_normalisation_adds_two_vectors_a_layer():
    layers = regularized(4, 2, dropout=0.5)
    workload = Workload("small", Source("none", 10, 10, (3,), 2), layers, 4, ADAM, epochs=1)
    assert [layer.plain for layer in layers] == [False, True]  # the last layer stays as it is
    assert workload.parameter_count == 3 * 4 + 4 + 2 * 4 + 4 * 2 + 2


def test_a_population_is_a_network_for_each_setting():
    networks = WORKLOADS["population"].networks
    assert tuple(network.optimizer for network in networks) == SETTINGS
    assert len(set(SETTINGS)) == 24
    assert all(network.networks == (network,) for network in networks)
    assert WORKLOADS["population"].rules == ("sgd", "rmsprop", "adam")
    one, both = (WORKLOADS["population"]._replace(settings=SETTINGS[:count]) for count in (1, 2))
    assert LIMIT.state_seconds(both) == pytest.approx(2 * LIMIT.state_seconds(one))


def test_rates_are_a_geometric_row():
    assert rates(0.1, 10.0, 3) == pytest.approx((0.1, 1.0, 10.0))


def test_networks_in_turn_are_added_up():
    clock, parts = Clock(), [Clock(), Clock()]
    for part, seconds in zip(parts, (1.0, 2.0), strict=True):
        part.setup_seconds, part.epoch_seconds, part.losses = seconds, [seconds, 10 * seconds], [seconds, 2 * seconds]
    clock.add(parts)
    assert (clock.setup_seconds, clock.epoch_seconds, clock.losses) == (3.0, [3.0, 30.0], [1.5, 3.0])


def test_epochs_that_cannot_be_told_apart_share_their_time():
    clock = Clock()
    clock.ready()
    clock.epochs([0.5, 0.25])
    assert clock.losses == [0.5, 0.25]
    assert clock.epoch_seconds[0] == clock.epoch_seconds[1] > 0


def test_headings_say_what_is_special():
    figures = summarize([run_of("thalweg", name) for name in ("tabular_mlp", "population")])
    text = report(figures, LIMIT)
    assert "### tabular_mlp: 54-4x256-7 with batch normalisation and dropout, batch 256, adamw, 200,000 rows" in text
    assert "### population: 24 networks 784-64-10, batch 128, sgd / rmsprop / adam, 60,000 rows" in text


def test_sizes_shorten_equal_layers():
    assert sizes(WORKLOADS["mnist_mlp"]) == "784-512-10"
    assert sizes(WORKLOADS["deep_narrow"]) == "64-20x64-10"


def test_every_peer_names_a_module_and_scikit_learn_has_no_rmsprop():
    assert not PEERS["sklearn_mlp"].supports(WORKLOADS["mnist_mlp_rmsprop"])
    assert PEERS["sklearn_mlp"].supports(WORKLOADS["mnist_mlp"])
    assert not PEERS["thalweg_uint8"].supports(WORKLOADS["iris"])
    assert not PEERS["numpy_plain"].supports(WORKLOADS["tabular_mlp"])
    assert PEERS["numpy_plain"].supports(WORKLOADS["population"])
    assert not PEERS["torch_compiled"].supports(WORKLOADS["population"])
    assert PEERS["torch_compiled"].supports(WORKLOADS["tabular_mlp"])
    assert all(name == peer.name for name, peer in PEERS.items())


def test_which_peers_know_images():
    able = [name for name, peer in PEERS.items() if peer.supports(WORKLOADS["mnist_cnn"])]
    torch = ["torch_memory", "torch_channels_last", "torch_compiled", "torch_compiled_channels_last"]
    assert able == ["thalweg", "thalweg_uint8", "thalweg_xla", "jax_scan", "keras_jax", *torch]
    assert not PEERS["thalweg_uint8"].supports(WORKLOADS["resnet20"])
    assert not PEERS["torch_channels_last"].supports(WORKLOADS["mnist_mlp"])


def test_disturbed_rule():
    assert not is_disturbed(None, 10.0)
    assert not is_disturbed(FOREIGN_FLOOR_SECONDS, 0.1)
    assert is_disturbed(2 * FOREIGN_FLOOR_SECONDS, 0.1)
    assert not is_disturbed(0.9 * FOREIGN_SHARE * 10, 10.0)
    assert is_disturbed(1.1 * FOREIGN_SHARE * 10, 10.0)


def test_foreign_seconds_are_what_others_used():
    assert foreign_seconds(100.0, 105.0, 4.5) == pytest.approx(0.5)
    assert foreign_seconds(100.0, 105.0, 5.1) == 0.0  # the clocks tick differently
    assert foreign_seconds(None, 105.0, 1.0) is None


def test_the_first_epoch_is_no_part_of_the_steady_figure():
    assert run_of("thalweg", epoch_seconds=[9.0, 2.0, 4.0, 3.0]).epoch_seconds == 3.0
    assert run_of("thalweg", epoch_seconds=[9.0]).epoch_seconds == 9.0


def test_the_table_says_which_numbers_of_threads_were_chosen():
    """Steps of all undisturbed runs together; JSON has the numbers as words."""
    runs = [run_of("thalweg", steps_by_threads=steps) for steps in ({"1": 10, "2": 290}, {"2": 100})]
    runs.append(run_of("thalweg", steps_by_threads={"1": 900}, disturbed=True))
    assert "| 2: 97.5 %, 1: 2.5 % |" in report(summarize(runs), LIMIT)
    assert describe(runs[0]).endswith("steps by threads: 10 on 1, 290 on 2")


def test_table_has_medians_ratios_and_limit():
    runs = [run_of("numpy_plain", epoch_seconds=[9, s]) for s in (600.0, 200.0, 400.0)]
    runs.append(run_of("thalweg", epoch_seconds=[150.0, 200.0], disturbed=True))
    text = report(summarize(runs), LIMIT)
    assert "### mnist_mlp: 784-512-10, batch 128, adam, 60,000 rows" in text
    assert "98.18 GFLOP = 98.2 s" in text
    assert "| thalweg | 200 | 1.00 | 150 | 0.100 | 200 | 0.9800 | 49 % | - |" in text
    assert "| NumPy, hand-written | 400 | 2.00 | 9.50 | 0.100 | 200 | 0.9800 | 25 % |" in text
    assert text.index("| thalweg") < text.index("| NumPy")
    assert "1 of 1 runs of thalweg were disturbed" in text


def test_disturbed_runs_count_only_if_there_are_no_others():
    calm = run_of("thalweg", epoch_seconds=[1.0, 2.0])
    disturbed = run_of("thalweg", epoch_seconds=[1.0, 50.0], disturbed=True)
    assert summarize([disturbed, calm, disturbed])[0].epoch_seconds == 2.0
    assert summarize([disturbed])[0].epoch_seconds == 50.0


def test_whole_processes_are_compared_with_the_same_state_of_the_cache():
    runs = [
        run_of("thalweg", "iris", "cold", wall=0.4),
        run_of("thalweg", "iris", "warm", wall=0.2),
        run_of("jax_scan", "iris", "cold", wall=2.0),
        run_of("jax_scan", "iris", "warm", wall=0.8),
        run_of("numpy_plain", "iris", wall=0.2),
    ]
    text = report(summarize(runs), LIMIT)
    assert "| JAX, hand-written, scan | cold | 2.00 | 5.00 |" in text
    assert "| JAX, hand-written, scan | warm | 0.800 | 4.00 |" in text
    assert "| NumPy, hand-written | none | 0.200 | 0.50 / 1.00 |" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.4752, "0.475"), (12.34, "12.3"), (0.0001234, "0.000123"), (1e-7, "1e-07"), (1234.5, "1234")]
)
def test_number_has_three_significant_digits(value, text):
    assert number(value) == text
