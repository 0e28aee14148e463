"""Tables from files and from data frames: rows with named columns, each of a type of its own.

    from thalweg.data.tables.opening import open_table
    from thalweg.data.tables.encodings import Codes, Moment, Number
    from thalweg.data.tables.writing import TableWriter

Nothing is imported here: what reads plain arrays needs ``frames`` alone.
"""
