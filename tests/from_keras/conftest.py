"""The programs are run by test_programs.py, and are no modules with examples in their docstrings."""

collect_ignore_glob = ["programs/*"]
