"""Deeper tests of a model on its data, on request. ``thalweg.diagnosis`` has their names."""
