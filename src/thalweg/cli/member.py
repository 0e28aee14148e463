"""``python -m thalweg.cli.member COMMAND``: one of the processes that ``thalweg launch`` has started."""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
import traceback
from types import TracebackType

from thalweg import cli
from thalweg.cli.codes import FAILED, INTERRUPTED, MISUSED
from thalweg.cli.launch import COMMANDS
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.processes.joining import initialize, leave_at_once

LOOK_SECONDS = 1.0
"""How often it is looked whether the launcher is there still."""


def main(words: list[str]) -> int:
    """Join the others and do what the command says; the exit status."""
    threading.Thread(target=_end_without, args=(os.getppid(),), name="thalweg-launcher", daemon=True).start()
    try:
        initialize()
    except ThalwegError as error:
        print(f"Error: {error}", file=sys.stderr)
        return MISUSED if isinstance(error, ArgumentError) else FAILED
    try:
        _run(words)
    except SystemExit as end:
        return _status(end)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        traceback.print_exception(error.with_traceback(_own_part(error.__traceback__)))
        return FAILED
    return 0


def _run(words: list[str]) -> None:
    """The command, as if it had been called by itself."""
    first, *rest = words
    if first in COMMANDS:
        sys.argv = ["thalweg", *words]
        cli.main()
    elif first == "-m":
        sys.argv = rest
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = os.path.dirname(os.path.abspath(first))
        runpy.run_path(first, run_name="__main__")


def _status(end: SystemExit) -> int:
    """The exit status that Python would make of it."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return FAILED


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """Of a traceback what belongs to the script."""
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>"):
        trace = trace.tb_next
    return trace


def _end_without(launcher: int) -> None:
    """End this process when that which has started it is gone."""
    while os.getppid() == launcher:
        time.sleep(LOOK_SECONDS)
    leave_at_once(FAILED)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    if status not in (0, INTERRUPTED):
        leave_at_once(status)
    sys.exit(status)  # together with the others
