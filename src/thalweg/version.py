"""The version, where every module may ask for it; pyproject.toml has the same."""

__version__ = "0.1.0"


def version() -> str:
    """The same, as in Keras."""
    return __version__
