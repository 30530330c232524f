"""covey: how features move together.

Examples
--------
>>> import covey
>>> table = covey.read("covey:german_credit")
>>> matrix = covey.associate(table, target="credit")
>>> matrix.top(1)[0][1]
'credit'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "AssociationMatrix": "covey.measure",
    "DaskEngine": "covey.engine",
    "FeatureTable": "covey.table",
    "LocalEngine": "covey.engine",
    "associate": "covey.measure",
    "feature_groups": "covey.structure",
    "iter_blocks": "covey.table",
    "measures": "covey.measure",
    "read": "covey.table",
    "redundancy": "covey.structure",
    "report": "covey.report",
}

__all__ = [
    "AssociationMatrix",
    "DaskEngine",
    "FeatureTable",
    "LocalEngine",
    "__version__",
    "associate",
    "feature_groups",
    "iter_blocks",
    "measures",
    "read",
    "redundancy",
    "report",
]

if TYPE_CHECKING:
    from covey.engine import DaskEngine, LocalEngine
    from covey.measure import AssociationMatrix, associate, measures
    from covey.report import report
    from covey.structure import feature_groups, redundancy
    from covey.table import FeatureTable, iter_blocks, read


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'covey' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
