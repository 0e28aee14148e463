"""Streams: data that come in parts, one after the other, and need not fit into memory.

``parts`` says what gives them, ``taking_apart`` what one must be, ``reading`` brings them into the memory that steps
read, which is that of ``slots``, and ``stream`` is the source that training, evaluation and prediction see.
"""
