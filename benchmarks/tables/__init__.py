"""Public tables, thalweg's default on them and what others make of them: ``python -m benchmarks.tables``."""
