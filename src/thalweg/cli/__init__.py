"""The command line: ``thalweg train | evaluate | predict | info``."""


def main() -> None:
    """The program ``thalweg``."""
    from thalweg.cli.app import app  # typer and rich are loaded by the command line only

    app()
