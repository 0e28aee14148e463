"""The XLA executor: a graph in terms of JAX's operations, compiled by XLA for CPUs, GPUs and TPUs."""
