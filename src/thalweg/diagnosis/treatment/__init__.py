"""Cures, proved: what is tried against each disease, and how it is found out whether it helps.

``network`` changes descriptions of layers, ``program`` is a whole training as a value, ``cures`` has a file for each
disease, ``trials`` runs programs, ``judging`` says how good they are, and ``course`` is the protocol.
"""
