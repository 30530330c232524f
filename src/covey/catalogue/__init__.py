"""One row for every published system that covey implements."""

from covey.catalogue._reader import Method, get, methods

__all__ = ["Method", "get", "methods"]
