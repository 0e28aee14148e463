"""Compiled code: kept on disk, loaded, and run by a team of threads."""
