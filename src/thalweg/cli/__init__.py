"""The command line: ``thalweg train | evaluate | predict | gradcheck | explain | profile | info``."""

from thalweg.cli.codes import INTERRUPTED as INTERRUPTED


def main() -> None:
    """The program ``thalweg``."""
    try:
        from thalweg.cli.app import app  # typer and rich are loaded by the command line only

        app()
    except KeyboardInterrupt:  # before there is anything to keep
        raise SystemExit(INTERRUPTED) from None
