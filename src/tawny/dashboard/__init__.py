"""The door for people: pages rendered here, which ask the same verbs as the API and hold no rules of their own."""

from tawny.dashboard.door import mount

__all__ = ["mount"]
