"""The metrics of the domain brief §2.3 and §2.4: each one set query, its definition beside it, n beside each rate.

The database aggregates; what comes back is a handful of rows, whatever the size of the book.
"""
