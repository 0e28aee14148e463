"""A clinic for the doctor: small trainings with a known trouble, or none, and how many of them are named.

A case is a dict that says what to train, in Keras's words: ``task``, ``data``, ``layers``, ``loss``, ``optimizer``,
``lr``, ``batch_size``, ``epochs``, ``init``; and the truth, which no doctor sees: ``truth`` are the labels that have to
be named (none: healthy), ``accept`` those that may be.
"""
