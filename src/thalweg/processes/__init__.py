"""Several processes, on one machine or many, that run one program together."""
