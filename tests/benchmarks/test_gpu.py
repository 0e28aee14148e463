"""What ``benchmarks.gpu`` says without a GPU, and the lines of its table."""

import pytest
from benchmarks.peers import PEERS
from benchmarks.workloads import ON_GPU

from benchmarks import gpu


@pytest.mark.needs("jax")
def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu"])
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    with pytest.raises(SystemExit, match="No GPU here"):
        gpu.main()


def test_every_peer_trains_every_network():
    for workload in ON_GPU.values():
        for name in (gpu.THALWEG, *gpu.AIMS):
            assert PEERS[name].supports(workload)


def test_the_lines_say_what_falls_short():
    seconds = {gpu.THALWEG: 0.001, "jax_scan": 0.0009, "keras_jax": 0.002, "torch_compiled": 0.0005}
    figures = {name: {"seconds": value, "pieces": 5, "disturbed": 0} for name, value in seconds.items()}
    lines = gpu.rows(ON_GPU["mnist_mlp_4096"], figures)
    assert [line[3] for line in lines] == ["1.00", "0.90", "2.00", "0.50"]
    assert [line[4] for line in lines] == ["", "0.95 (short of it)", "1.20", ""]
    assert lines[0][0] == "mnist_mlp_4096, batch 4096"
