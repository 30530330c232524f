"""Where work runs: the same functions on local threads or on a Dask cluster."""

from covey.engine._local import Engine, LocalEngine, resolve
from covey.engine._reduce import State

__all__ = ["DaskEngine", "Engine", "LocalEngine", "State", "resolve"]


def __getattr__(name: str) -> object:
    if name == "DaskEngine":  # imported on demand: Dask is an extra
        from covey.engine._dask import DaskEngine

        return DaskEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
