"""From graph to graph, and to kernels: what every executor that compiles needs."""
