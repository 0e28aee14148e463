"""Modules that import scikit-learn are not there without it; ``test_without.py`` is about that."""

import importlib.util

collect_ignore = (
    [] if importlib.util.find_spec("sklearn") else ["test_same_numbers.py", "test_estimators.py", "test_tables.py"]
)
