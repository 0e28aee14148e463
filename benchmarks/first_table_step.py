"""``thalweg train`` on a table, ended where its first step would run: ``python -m benchmarks.first_table_step FILE``.

Nothing is imported or kept ready beforehand; ``benchmarks.table_reading`` starts the process, and looks at the clock.
"""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder

SESSION = "thalweg.training.session"


class EndsAtFirstStep(MetaPathFinder):
    """Waits for the module of the training loop to be imported, and puts the end of the process into its loop."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module's own, with one thing done after it is executed."""
        if name != SESSION:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        assert spec is not None, "it is a part of thalweg"
        assert spec.loader is not None, "it is a file"
        execute = spec.loader.exec_module

        def executed(module: object) -> None:
            execute(module)  # type: ignore[arg-type]
            module.Session.run_epochs = _end  # type: ignore[attr-defined]

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def _end(*_: object) -> None:
    os._exit(0)


def main() -> None:
    """Run the command."""
    sys.meta_path.insert(0, EndsAtFirstStep())
    file, target, *further = sys.argv[1:]
    sys.argv = ["thalweg", "train", file, "--target", target, "-o", f"{file}.thalweg", *further]
    from thalweg.cli import main as command

    command()


if __name__ == "__main__":
    main()
