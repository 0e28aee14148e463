"""The command line: ``thalweg train | tune | evaluate | predict | runs | gradcheck | explain | profile | info |
launch``."""

import sys

from thalweg.cli.codes import INTERRUPTED as INTERRUPTED


def main() -> None:
    """The program ``thalweg``."""
    try:
        from thalweg.cli.app import program  # typer and rich are loaded by the command line only

        program(sys.argv[1:])()
    except KeyboardInterrupt:  # before there is anything to keep
        raise SystemExit(INTERRUPTED) from None
