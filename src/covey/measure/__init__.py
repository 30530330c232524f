"""How strongly do these features move together?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from covey.measure._associate import associate
from covey.measure._matrix import REASONS, AssociationMatrix
from covey.measure._measure import Measure, get, measures, register

if TYPE_CHECKING:
    from covey.measure.hsic_groups import group_hsic
    from covey.measure.lagged import LaggedCorrelation, lagged_correlation
    from covey.measure.random_features import (
        RandomFeatures,
        positive_features,
        random_frequencies,
        simplex_directions,
        trigonometric_features,
    )

_HOME = {
    "LaggedCorrelation": "lagged",
    "RandomFeatures": "random_features",
    "group_hsic": "hsic_groups",
    "lagged_correlation": "lagged",
    "positive_features": "random_features",
    "random_frequencies": "random_features",
    "simplex_directions": "random_features",
    "trigonometric_features": "random_features",
}

__all__ = [
    "REASONS",
    "AssociationMatrix",
    "LaggedCorrelation",
    "Measure",
    "RandomFeatures",
    "associate",
    "get",
    "group_hsic",
    "lagged_correlation",
    "measures",
    "positive_features",
    "random_frequencies",
    "register",
    "simplex_directions",
    "trigonometric_features",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn takes a second to import
        return getattr(import_module(f"covey.measure.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
