"""The statements of this benchmark."""

from tawny.db.queries import load

queries = load(__file__)
