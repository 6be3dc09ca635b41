"""The room's statements, loaded once."""

from tawny.db.queries import load

queries = load(__file__)
