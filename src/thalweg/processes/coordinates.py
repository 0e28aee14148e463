"""Where the processes of a job find each other, as those say it who start them: ``thalweg launch``, SLURM, Open MPI,
Kubernetes, ``torchrun`` and its like.
"""

from __future__ import annotations

import re
import socket
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from thalweg.errors import ArgumentError, ProcessError
from thalweg.fields import dataclass

__all__ = ["COORDINATOR", "LOCAL", "PORTS", "PROCESS", "PROCESSES", "VISIBLE", "Coordinates", "checked", "found"]

COORDINATOR, PROCESSES, PROCESS = "THALWEG_COORDINATOR", "THALWEG_PROCESSES", "THALWEG_PROCESS"
"""``host:port`` of the first process, which comes before what others say; how many there are, and which this is."""

LOCAL = "THALWEG_LOCAL"
"""``2/4``: the third of four on this machine."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The GPUs of NVIDIA that a process may use: ``0,1``."""

PORTS = range(61440, 65536)
"""Those of which a job's number chooses one, as in JAX; the system gives them to nobody by itself on most machines."""

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Coordinates:
    """What a process has to know to find the others.

    Attributes:
        address: ``host:port`` at which the first process answers.
        index: of this process.
        local_index: among the processes of this machine, of which there are ``local_count``.
    """

    address: str
    count: int
    index: int
    local_index: int = 0
    local_count: int = 1

    def environment(self) -> dict[str, str]:
        """For a process that is to find them again."""
        return {
            COORDINATOR: self.address,
            PROCESSES: str(self.count),
            PROCESS: str(self.index),
            LOCAL: f"{self.local_index}/{self.local_count}",
        }


def found(environment: Environment) -> Coordinates | None:
    """What the environment says; None if it says nothing of several processes.

    Raises: ArgumentError for a variable that is no number; ProcessError if something is missing.
    """
    for look in (_ours, _slurm, _open_mpi, _kubernetes, _torch):
        coordinates = look(environment)
        if coordinates is not None:
            return checked(replace(coordinates, address=environment.get(COORDINATOR, coordinates.address)))
    return None


def checked(given: Coordinates) -> Coordinates:
    """The same. Raises ArgumentError for what cannot be."""
    if not 0 <= given.index < given.count:
        raise ArgumentError(
            "there is no process of this number",
            expected=f"0 to {given.count - 1}, as there are {given.count}",
            got=str(given.index),
            fix="number the processes from 0, each with its own number",
        )
    host, _, port = given.address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ArgumentError(
            "this is no address of the first process",
            expected="host:port, as node1:61500, with a port from 1 to 65535",
            got=repr(given.address),
            fix="name the machine of process 0 and a port that is free there",
        )
    return given


def _ours(variables: Environment) -> Coordinates | None:
    if PROCESS not in variables:
        return None
    of = _Numbers(variables, "thalweg launch")
    local = variables.get(LOCAL, "0/1")
    here, _, all_here = local.partition("/")
    if not here.isdecimal() or not all_here.isdecimal() or int(here) >= int(all_here):
        raise ArgumentError(
            f"the environment variable {LOCAL} does not fit its rule",
            expected="which of the processes of this machine it is, and how many these are, as 2/4",
            got=repr(local),
            fix=f"unset {LOCAL}, or start the processes by thalweg launch --processes N",
        )
    return Coordinates(variables.get(COORDINATOR, ""), of(PROCESSES), of(PROCESS), int(here), int(all_here))


def _slurm(variables: Environment) -> Coordinates | None:
    """Under ``srun``. In the batch script itself there is one process, whatever number of tasks the job has."""
    if not {"SLURM_JOB_ID", "SLURM_PROCID", "SLURM_STEP_NODELIST"} <= variables.keys():
        return None
    of = _Numbers(variables, "SLURM")
    nodes = variables["SLURM_STEP_NODELIST"]
    each = _tasks(variables.get("SLURM_STEP_TASKS_PER_NODE", "1"))
    node = of("SLURM_NODEID", 0)
    return Coordinates(
        f"{first_node(nodes)}:{_port(variables['SLURM_JOB_ID'])}",
        of("SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in variables else "SLURM_NTASKS"),
        of("SLURM_PROCID"),
        of("SLURM_LOCALID", 0),
        each[min(node, len(each) - 1)],
    )


def first_node(nodes: str) -> str:
    """The first of a list of nodes as SLURM writes it.

    Example:
        >>> first_node("gpu[007-010,12],login"), first_node("a1,a2"), first_node("solo")
        ('gpu007', 'a1', 'solo')
    """
    found = re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", nodes)
    assert found is not None, "SLURM names a node"
    return found[1] + (found[2] or "")


def _tasks(told: str) -> list[int]:
    """``2(x3),1`` is 2, 2, 2 and 1."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", told)
    return [int(tasks) for tasks, nodes in found for _ in range(int(nodes or 1))] or [1]


def _open_mpi(variables: Environment) -> Coordinates | None:
    if "OMPI_COMM_WORLD_SIZE" not in variables:
        return None
    of = _Numbers(variables, "Open MPI")
    count, local = of("OMPI_COMM_WORLD_SIZE"), of("OMPI_COMM_WORLD_LOCAL_SIZE", 1)
    uri = variables.get("OMPI_MCA_orte_hnp_uri", "")  # of version 4
    host = re.search(r"tcp://([^,:]+)|tcp6://\[([^,\]]+)", uri)
    if count == local or COORDINATOR in variables:
        name = "127.0.0.1"
    elif host is not None:
        name = host[1] or f"[{host[2]}]"
    else:
        raise ProcessError(
            "Open MPI does not say on which machine the first process is",
            expected=f"OMPI_MCA_orte_hnp_uri, or {COORDINATOR}",
            got="processes on several machines, and neither",
            fix=f"name the machine and a free port: mpirun -x {COORDINATOR}=node1:61500 ..., or launch --coordinator",
        )
    number = variables.get("PMIX_NAMESPACE") or uri.partition(".")[0] or "0"
    address = f"{name}:{_port(number)}"
    return Coordinates(address, count, of("OMPI_COMM_WORLD_RANK"), of("OMPI_COMM_WORLD_LOCAL_RANK", 0), local)


def _kubernetes(variables: Environment) -> Coordinates | None:
    """In a pod of an indexed Job with a headless service; how many there are is told in THALWEG_PROCESSES."""
    if "KUBERNETES_SERVICE_HOST" not in variables or "JOB_COMPLETION_INDEX" not in variables:
        return None
    of = _Numbers(variables, "Kubernetes")
    if PROCESSES not in variables:
        raise ProcessError(
            "Kubernetes does not say how many pods the Job has",
            expected=f"{PROCESSES} among the variables (env) of the container",
            got="JOB_COMPLETION_INDEX without it",
            fix=f"add to the container env: - {{name: {PROCESSES}, value: '4'}}, the number of completions",
        )
    index = of("JOB_COMPLETION_INDEX")
    name, dot, rest = _own_name().partition(".")
    if not dot:
        raise ProcessError(
            "the pods of this Job have no names by which they find each other",
            expected="a headless service, and its name as subdomain of the pods",
            got=f"a pod named {name!r}, which belongs to no domain",
            fix="make a Service with clusterIP: None for the Job's pods, and set subdomain in their spec to its name",
        )
    first = f"{name.removesuffix(f'-{index}')}-0"
    return Coordinates(f"{first}.{rest}:{_port(name.removesuffix(f'-{index}'))}", of(PROCESSES), index)


_own_name: Callable[[], str] = socket.getfqdn


def _torch(variables: Environment) -> Coordinates | None:
    """The variables of ``torchrun``, Kubeflow and others."""
    if not {"MASTER_ADDR", "WORLD_SIZE", "RANK"} <= variables.keys():
        return None
    of = _Numbers(variables, "MASTER_ADDR and its like")
    address = f"{variables['MASTER_ADDR']}:{variables.get('MASTER_PORT', str(PORTS[0]))}"
    local = of("LOCAL_RANK", 0), of("LOCAL_WORLD_SIZE", 1)
    return Coordinates(address, of("WORLD_SIZE"), of("RANK"), *local)


def _port(number: str) -> int:
    """For the job of this number or name."""
    return PORTS[(int(number) if number.isdecimal() else zlib.crc32(number.encode())) % len(PORTS)]


@dataclass(frozen=True)
class _Numbers:
    """The variables that are numbers."""

    variables: Environment
    of: str

    def __call__(self, name: str, default: int | None = None) -> int:
        given = self.variables.get(name, "" if default is None else str(default))
        if not given.isdecimal():
            raise ArgumentError(
                f"{self.of}: the environment variable {name} does not fit its rule",
                expected="a whole number",
                got=repr(given) if given else "nothing",
                fix=f"set {name}, or start the processes by thalweg launch --processes N",
            )
        return int(given)
