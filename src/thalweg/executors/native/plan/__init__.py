"""From a graph to tasks: what is stored where, and when it is computed."""
