"""From a compiled model and data to a trained model: the step's graph, the loop over it, and who watches."""
