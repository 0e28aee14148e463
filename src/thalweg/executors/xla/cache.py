"""Programs of XLA on disk, so that what was compiled once starts at once in every later process.

They lie among the programs of the native executor, sealed as these (``native.run.cache``), and not in a cache of JAX's
own: that is one for a whole process, which belongs to its user. Who has set one up gets that one instead.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import time
from functools import cache as once
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable

from thalweg.executors.native.run import cache

SETTINGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")
"""Of the environment, what decides what XLA makes of a program."""


WORTH_SECONDS = 0.1
"""What took less to compile is not kept."""


def compiled(lowered: jax.stages.Lowered, devices: tuple[Any, ...], graph: bytes) -> jax.stages.Compiled:
    """The program, compiled now or by an earlier process.

    Arguments:
        devices: that it runs on.
        graph: a digest of what it was made of, whose layers a profile names.
    """
    if jax.config.jax_compilation_cache_dir is not None or jax.process_count() > 1:
        return lowered.compile()
    name = cache.key(lowered.as_text(), graph.hex(), *_circumstances(devices))
    content = cache.load(name)
    if content is not None:
        program = _loaded(content, devices)
        if program is not None:
            return program
    began = time.perf_counter()
    program = lowered.compile()
    if time.perf_counter() - began > WORTH_SECONDS and (kept := _kept(program)) is not None:
        cache.save(name, kept)
    return program


def _kept(program: jax.stages.Compiled) -> bytes | None:
    """As bytes; None for what cannot be kept: not every kind of device can do that, nor every version of JAX."""
    try:
        return pickle.dumps(serialize_executable.serialize(program))
    except Exception:
        return None


def _loaded(content: bytes, devices: tuple[Any, ...]) -> jax.stages.Compiled | None:
    """From bytes that this user has kept; None if this JAX does not take them."""
    try:
        body, inputs, outputs = pickle.loads(content)
        return serialize_executable.deserialize_and_load(
            body, inputs, outputs, backend=devices[0].client, execution_devices=devices
        )
    except Exception:
        return None


def _circumstances(devices: tuple[Any, ...]) -> tuple[str, ...]:
    """What the code depends on beside the program."""
    client = devices[0].client
    return (
        *(jax.__version__, jax.lib.__version__, client.platform, client.platform_version),
        *(f"{device.id} {device.device_kind}" for device in devices),
        *(f"{name}={os.environ.get(name, '')}" for name in SETTINGS),
        _processor(),
    )


@once
def _processor() -> str:
    """What the host's processor can do, of which programs for it make use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = [line for line in dict.fromkeys(lines) if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
