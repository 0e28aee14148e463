"""Streams: data that come in parts, one after the other, and need not fit into memory.

``parts`` says what gives them, ``reading`` brings them into the memory that steps read, ``stream`` is the source that
training, evaluation and prediction see.
"""
