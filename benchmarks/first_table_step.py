"""``thalweg train`` on a table, ended where its first step would run: ``python -m benchmarks.first_table_step FILE``.

Nothing is imported or kept ready beforehand; ``benchmarks.table_reading`` starts the process, and looks at the clock.
"""

import importlib
import os
import sys
from types import ModuleType

TRAINS = "thalweg.cli.tables"
"""The command imports it while the table is read, and the training loop with it."""
LOOP = "run_epochs"

plainly = importlib.import_module


def imported(name: str, package: str | None = None) -> ModuleType:
    """As ``importlib.import_module``; the training loop, once it is there, ends the process."""
    module = plainly(name, package)
    if name == TRAINS:
        from thalweg.training.session import Session

        assert hasattr(Session, LOOP), "it is to be replaced"
        setattr(Session, LOOP, _end)
    return module


def _end(*_: object) -> None:
    os._exit(0)


def main() -> None:
    """Run the command."""
    importlib.import_module = imported
    file, target, *further = sys.argv[1:]
    sys.argv = ["thalweg", "train", file, "--target", target, "-o", f"{file}.thalweg", *further]
    from thalweg.cli import main as command

    try:
        command()
    finally:
        raise SystemExit("the command ended without a first step")


if __name__ == "__main__":
    main()
