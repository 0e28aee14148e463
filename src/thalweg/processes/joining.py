"""Joining a job: the processes find each other by ``jax.distributed``, and leave together."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Annotated, Any

from thalweg.checks import In, checked
from thalweg.errors import ArgumentError, ProcessError
from thalweg.extras import needed
from thalweg.processes import coordinates, job
from thalweg.processes.coordinates import VISIBLE, Coordinates

__all__ = ["initialize", "leave_at_once", "lost"]

TIMEOUT = 300.0
"""Seconds in which all processes have to come: the nodes of a cluster do not start at one moment."""

TIMEOUT_VARIABLE = "THALWEG_JOIN_SECONDS"

LOOK_SECONDS = 2.0
"""How long to wait for a note before Ctrl-C is looked at."""

DAY = 24 * 3600
"""As good as for ever, in seconds: who has died is noticed by the heartbeats."""

DONE = "thalweg/done"
"""The first process has nothing more to do."""


class ClientBoard:
    """The notes that the coordinator of a job keeps: a part of JAX, in the first process."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, name: str, note: bytes) -> None:
        """See Board."""
        with _talking():
            self._client.key_value_set_bytes(name, note)

    def get(self, name: str) -> bytes:
        """See Board."""
        while True:
            try:
                note: bytes = self._client.blocking_key_value_get_bytes(name, int(1000 * LOOK_SECONDS))
                return note
            except RuntimeError as error:
                if not str(error).startswith("DEADLINE_EXCEEDED"):
                    raise lost(error) from error

    def wait(self, name: str) -> None:
        """See Board."""
        with _talking():
            self._client.wait_at_barrier(name, 1000 * DAY)

    def remove(self, folder: str) -> None:
        """See Board."""
        with _talking():
            self._client.key_value_delete(f"{folder}/")


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """What fails inside fails because another process is not there any more."""
    try:
        yield
    except RuntimeError as error:
        raise lost(error) from error


def lost(error: Exception) -> ProcessError:
    """What it means that the others do not answer."""
    one = job.current()
    return ProcessError(
        "another process of this job has ended",
        expected=f"{one.count} processes until all have done their work",
        got=f"in process {one.index}: {str(error).splitlines()[0][:200]}",
        fix="look at what the others said last; with thalweg launch --restarts 3 all begin again from the last backup",
    )


@checked
def initialize(
    job_addresses: str | None = None,
    num_processes: Annotated[int, In("[1, inf)")] | None = None,
    process_id: Annotated[int, In("[0, inf)")] | None = None,
    *,
    timeout: Annotated[float, In(f"(0, {DAY}]")] | None = None,
) -> None:
    """Let this process run the program together with others; arguments as in Keras, and one more.

    To be called before anything is computed by JAX. What is not given is found in the environment, as ``thalweg
    launch``, SLURM, Open MPI, Kubernetes (an indexed Job) and torchrun leave it. A second call does nothing.

    Arguments:
        job_addresses: ``host:port`` of the first process; further addresses, behind commas, are not needed.
        timeout: seconds in which all processes have to come, a day at most; 300, or what THALWEG_JOIN_SECONDS
            says, unless given.

    Raises: ArgumentError where neither the arguments nor the environment say where the others are; ProcessError if
        they do not come, the port is in use, or JAX has computed something already; MissingPackageError without JAX.
    """
    if job.current() is not job.ALONE:
        return
    where = _meant(job_addresses, num_processes, process_id)
    if where.count > 1:
        _join(where, _seconds() if timeout is None else timeout)
    for name in (coordinates.COORDINATOR, coordinates.PROCESSES, coordinates.PROCESS, coordinates.LOCAL):
        os.environ.pop(name, None)  # the processes that this one starts are none of the job


def _meant(addresses: str | None, count: int | None, index: int | None) -> Coordinates:
    """What the arguments say, and for the rest the environment."""
    if addresses is not None:
        first = addresses.split(",")[0].strip()
        addresses = first if ":" in first else f"{first}:{coordinates.PORTS[0]}"
    if addresses is None or count is None or index is None:
        found = coordinates.found(os.environ)
        if found is None:
            raise ArgumentError(
                "nobody says where the other processes are",
                expected="job_addresses, num_processes and process_id, or the environment of thalweg launch, of SLURM's"
                " srun, of Open MPI's mpirun, of an indexed Job of Kubernetes, or of torchrun",
                got="none of them",
                fix="start the program by thalweg launch --processes 2 -- script.py",
            )
        addresses = found.address if addresses is None else addresses
        count, index = found.count if count is None else count, found.index if index is None else index
        return coordinates.checked(replace(found, address=addresses, count=count, index=index))
    return coordinates.checked(Coordinates(addresses, count, index))


def _seconds() -> float:
    given = os.environ.get(TIMEOUT_VARIABLE, "")
    with contextlib.suppress(ValueError):
        seconds = float(given) if given else TIMEOUT
        if 0 < seconds <= DAY:
            return seconds
    raise ArgumentError(
        f"the environment variable {TIMEOUT_VARIABLE} does not fit its rule",
        expected="a number of seconds, more than 0 and at most those of a day",
        got=repr(given),
        fix=f"unset {TIMEOUT_VARIABLE}, or set it to 300",
    )


def _join(where: Coordinates, timeout: float) -> None:
    jax = needed(
        "jax",
        "a job of several processes needs JAX",
        expected="JAX, by which they find each other and compute together",
        fix="pip install 'thalweg[xla]' wherever a process runs",
    )
    _require_free_port(where)
    failed: list[Exception] = []

    def connect() -> None:
        try:
            jax.distributed.initialize(
                where.address,
                where.count,
                where.index,
                local_device_ids=_own_device(where, os.environ),
                cluster_detection_method="deactivate",
                initialization_timeout=DAY,  # after which JAX would end the process without a word of ours
            )
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=connect, name="thalweg-join", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        atexit.register(leave_at_once, 1)  # what still waits for the others cannot be ended otherwise
        raise _not_all_there(where, timeout)
    if failed:
        raise _refused(where, failed[0])
    from jax._src.distributed import global_state  # the notes have no public name; Orbax takes them from here, too

    board = ClientBoard(global_state.client)
    job.together(job.Job(where.index, where.count, board))
    _leave_together(board)


def _own_device(where: Coordinates, environment: Mapping[str, str]) -> list[int] | None:
    """Which GPU of the machine: one for each process, unless who has started them has given each its own."""
    if where.local_count == 1:
        return None
    shown = environment.get(VISIBLE)
    return [where.local_index] if shown is None or where.local_index < len(shown.split(",")) else None


def _require_free_port(where: Coordinates) -> None:
    """Raise ProcessError if the first process cannot answer at its port."""
    if where.index:
        return
    port = int(where.address.rpartition(":")[2])
    try:
        with socket.create_server(("", port), family=socket.AF_INET):
            pass
    except OSError as error:
        raise ProcessError(
            f"the first process cannot answer at the port {port}",
            expected="a port that nobody uses on this machine",
            got=error.strerror or str(error),
            fix="choose another one, the same for all processes: thalweg launch --port, or job_addresses='host:port'; "
            "or end the program that has it",
        ) from error


def _not_all_there(where: Coordinates, timeout: float) -> ProcessError:
    """After the time is over. What keeps a process from the first is found out by asking once more."""
    waited = f"{timeout:g} s"
    if where.index == 0:
        return ProcessError(
            f"not all processes of this job have come in {waited}",
            expected=f"{where.count} processes that reach {where.address}",
            got="fewer; this is process 0, which waits for them",
            fix="look whether the others were started, with the same address, and can reach this machine; give them "
            f"longer by {TIMEOUT_VARIABLE}=600",
        )
    host, _, port = where.address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
            found = "something answers there, but the job does not begin: another process is missing, or it is no job"
    except OSError as error:
        found = f"{type(error).__name__}: {error.strerror or error}"
    return ProcessError(
        f"the first process does not answer at {where.address}",
        expected=f"an answer within {waited}, in which this process, number {where.index} of {where.count}, tried",
        got=found,
        fix="look whether process 0 was started there, and whether a firewall lets the port through; wait longer by "
        f"{TIMEOUT_VARIABLE}=600",
    )


def _refused(where: Coordinates, error: Exception) -> ProcessError:
    early = "before any JAX calls" in str(error)
    return ProcessError(
        f"process {where.index} of {where.count} cannot join the job",
        expected="JAX as it is when it has just been loaded" if early else f"a job at {where.address}",
        got=str(error).splitlines()[0][:200],
        fix="call thalweg.distribution.initialize() first of all"
        if early
        else "look at what the first process says, and whether all have the same version of JAX",
    )


# Leaving


def _leave_together(board: job.Board) -> None:
    """When Python ends: wait for the first process, which may still write a file, or be gone at once after an error.

    JAX would wait for the others, which wait for this process in the middle of their work.
    """
    shown = sys.excepthook
    failed = threading.Event()

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        failed.set()
        shown(kind, error, trace)

    def leave() -> None:
        if failed.is_set():
            leave_at_once(1)
        with contextlib.suppress(ProcessError):
            if job.current().is_first:
                board.put(DONE, b"")
            else:
                board.get(DONE)

    sys.excepthook = show
    atexit.register(leave)  # is called before what JAX has registered


def leave_at_once(status: int) -> None:
    """End this process with an exit status, and let the others notice."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)
