"""Trainings on many devices, and what cannot be one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("jax")

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_on_eight_devices_of_a_cpu():
    """JAX is told before it is loaded, so these tests have a process of their own."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/executors/xla/on_devices.py"]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-10000:] + result.stderr[-2000:]
    assert "skipped" not in result.stdout
