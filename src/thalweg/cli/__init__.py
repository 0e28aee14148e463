"""The command line: ``thalweg train | evaluate | predict | gradcheck | explain | profile | info``."""

INTERRUPTED = 130
"""The exit code of a program that was ended by Ctrl-C."""


def main() -> None:
    """The program ``thalweg``."""
    try:
        from thalweg.cli.app import app  # typer and rich are loaded by the command line only

        app()
    except KeyboardInterrupt:  # before there is anything to keep
        raise SystemExit(INTERRUPTED) from None
