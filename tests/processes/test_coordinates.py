"""What those say who start several processes."""

import pytest

from thalweg.errors import ArgumentError, ProcessError
from thalweg.processes import coordinates
from thalweg.processes.coordinates import PORTS, Coordinates, found

SLURM = {
    "SLURM_JOB_ID": "4242",
    "SLURM_STEP_NODELIST": "gpu[07-08,12]",
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "6",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_NODEID": "2",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "12", "THALWEG_PROCESSES": "16"}
TORCH = {"MASTER_ADDR": "node1", "MASTER_PORT": "29500", "WORLD_SIZE": "8", "RANK": "6", "LOCAL_RANK": "2"}


def test_nothing_is_said_of_one_process():
    assert found({"HOME": "/root", "SLURM_JOB_ID": "7", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}) is None


def test_slurm():
    assert found(SLURM) == Coordinates(f"gpu07:{PORTS[4242 % len(PORTS)]}", 6, 5, 1, 2)


@pytest.mark.parametrize(("told", "node", "tasks"), [("2(x2),1", 2, 1), ("4", 0, 4), ("3,2", 1, 2)])
def test_tasks_of_each_node(told, node, tasks):
    variables = {**SLURM, "SLURM_STEP_TASKS_PER_NODE": told, "SLURM_NODEID": str(node)}
    assert found(variables).local_count == tasks


def test_the_batch_script_of_slurm_is_one_process():
    assert found({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}) is None


def test_open_mpi_4():
    given = found(OPEN_MPI)
    assert given == Coordinates(given.address, 4, 3, 1, 2)
    host, port = given.address.split(":")
    assert host == "10.96.0.1"
    assert int(port) in PORTS


def test_open_mpi_on_one_machine_needs_no_name():
    variables = {**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "4", "PMIX_NAMESPACE": "prterun-node-1@1"}
    del variables["OMPI_MCA_orte_hnp_uri"]
    assert found(variables).address.startswith("127.0.0.1:")


def test_open_mpi_5_on_several_machines_has_to_be_told():
    variables = {name: value for name, value in OPEN_MPI.items() if "orte" not in name}
    with pytest.raises(ProcessError, match="on which machine the first process is") as caught:
        found(variables)
    assert "mpirun -x THALWEG_COORDINATOR=" in caught.value.fix


def test_kubernetes(monkeypatch):
    monkeypatch.setattr(coordinates, "_own_name", lambda: "digits-12.pods.default.svc.cluster.local")
    given = found(KUBERNETES)
    assert given.address.startswith("digits-0.pods.default.svc.cluster.local:")
    assert (given.count, given.index) == (16, 12)


@pytest.mark.parametrize(
    ("change", "own", "problem"),
    [
        ({"THALWEG_PROCESSES": None}, "a-12.b", "how many pods"),
        ({}, "digits-12", "names by which they find each other"),
    ],
)
def test_kubernetes_without_what_is_needed(monkeypatch, change, own, problem):
    monkeypatch.setattr(coordinates, "_own_name", lambda: own)
    variables = {name: value for name, value in {**KUBERNETES, **change}.items() if value is not None}
    with pytest.raises(ProcessError, match=problem):
        found(variables)


def test_torchrun():
    assert found(TORCH) == Coordinates("node1:29500", 8, 6, 2, 1)


def test_what_launch_says_is_found_again_and_comes_first():
    given = Coordinates("node1:61500", 5, 4, 1, 3)
    assert found({**SLURM, **TORCH, **given.environment()}) == given


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"THALWEG_PROCESS": "5"}, "no process of this number"),
        ({"THALWEG_PROCESS": "second"}, "THALWEG_PROCESS does not fit"),
        ({"THALWEG_PROCESSES": ""}, "THALWEG_PROCESSES does not fit"),
        ({"THALWEG_COORDINATOR": "node1"}, "no address"),
        ({"THALWEG_COORDINATOR": ":61500"}, "no address"),
        ({"THALWEG_COORDINATOR": "node1:http"}, "no address"),
        ({"THALWEG_COORDINATOR": "node1:99999"}, "no address"),
        ({"THALWEG_LOCAL": "second/4"}, "THALWEG_LOCAL does not fit"),
        ({"THALWEG_LOCAL": "4/4"}, "THALWEG_LOCAL does not fit"),
        ({"THALWEG_LOCAL": "1"}, "THALWEG_LOCAL does not fit"),
    ],
)
def test_bad_variables_are_named(change, problem):
    variables = Coordinates("node1:61500", 5, 4).environment() | change
    with pytest.raises(ArgumentError, match=problem):
        found(variables)
