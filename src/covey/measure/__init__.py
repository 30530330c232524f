"""How strongly do these features move together?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from covey.measure._associate import associate
from covey.measure._matrix import REASONS, AssociationMatrix
from covey.measure._measure import Measure, get, measures, register

if TYPE_CHECKING:
    from covey.measure.concordance import concordance_correlation
    from covey.measure.horizon import HorizonCorrelation, horizon_correlation, optimal_horizon, sign_change
    from covey.measure.hsic_groups import group_hsic
    from covey.measure.lagged import LaggedCorrelation, lagged_correlation
    from covey.measure.mantel import MantelTest, mantel_test
    from covey.measure.maps import MapMaskCorrelation, itti_saliency, map_mask_correlation
    from covey.measure.random_features import (
        RandomFeatures,
        positive_features,
        random_frequencies,
        simplex_directions,
        trigonometric_features,
    )
    from covey.measure.sentiment import cumulative_sentiment, headline_polarity, net_sentiment
    from covey.measure.text import density_performance_correlation, feature_density

_HOME = {
    "HorizonCorrelation": "horizon",
    "LaggedCorrelation": "lagged",
    "MantelTest": "mantel",
    "MapMaskCorrelation": "maps",
    "RandomFeatures": "random_features",
    "concordance_correlation": "concordance",
    "cumulative_sentiment": "sentiment",
    "density_performance_correlation": "text",
    "feature_density": "text",
    "group_hsic": "hsic_groups",
    "headline_polarity": "sentiment",
    "horizon_correlation": "horizon",
    "itti_saliency": "maps",
    "lagged_correlation": "lagged",
    "mantel_test": "mantel",
    "map_mask_correlation": "maps",
    "net_sentiment": "sentiment",
    "optimal_horizon": "horizon",
    "positive_features": "random_features",
    "random_frequencies": "random_features",
    "sign_change": "horizon",
    "simplex_directions": "random_features",
    "trigonometric_features": "random_features",
}

__all__ = [
    "REASONS",
    "AssociationMatrix",
    "HorizonCorrelation",
    "LaggedCorrelation",
    "MantelTest",
    "MapMaskCorrelation",
    "Measure",
    "RandomFeatures",
    "associate",
    "concordance_correlation",
    "cumulative_sentiment",
    "density_performance_correlation",
    "feature_density",
    "get",
    "group_hsic",
    "headline_polarity",
    "horizon_correlation",
    "itti_saliency",
    "lagged_correlation",
    "mantel_test",
    "map_mask_correlation",
    "measures",
    "net_sentiment",
    "optimal_horizon",
    "positive_features",
    "random_frequencies",
    "register",
    "sign_change",
    "simplex_directions",
    "trigonometric_features",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn takes a second to import
        return getattr(import_module(f"covey.measure.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
