"""The client: a process of its own, so that neither server pays for it."""
