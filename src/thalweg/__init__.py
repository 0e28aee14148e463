"""Neural-network training near the CPU's physical limit, with the API of Keras."""

__version__ = "0.1.0"
