"""The benchmark's own statements. What is measured are those of `tawny.runs`."""

from tawny.db.queries import load

queries = load(__file__)
