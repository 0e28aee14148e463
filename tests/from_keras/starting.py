"""Weights to start from that do not depend on the library."""

import numpy as np


def start(model):
    """Kernels and tables by their shapes alone; biases, means and variances stay as they are."""
    random = np.random.RandomState(0)
    model.set_weights([random.normal(0, 0.3, w.shape) if w.ndim > 1 else w for w in model.get_weights()])
