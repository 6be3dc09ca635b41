"""The web door. `create_app` makes the API of an author's app, to be served alone or mounted in their own web application."""

from tawny.api.app import create_app, opened

__all__ = ["create_app", "opened"]
