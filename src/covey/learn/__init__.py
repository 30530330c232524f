"""Can features be learned so that they relate as they should? Losses and representation learners."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.learn.deep_cca import SSLEY, DeepCCAEY, EYLoss
    from covey.learn.multiview import MultiviewCCA, MultiviewPLS, StochasticCCA, StochasticPLS
    from covey.learn.sparse_cca import PrimalDualSparseCCA, SparseCCA, mate_retrieval

_HOME = {
    "DeepCCAEY": "deep_cca",
    "EYLoss": "deep_cca",
    "MultiviewCCA": "multiview",
    "MultiviewPLS": "multiview",
    "PrimalDualSparseCCA": "sparse_cca",
    "SSLEY": "deep_cca",
    "SparseCCA": "sparse_cca",
    "StochasticCCA": "multiview",
    "StochasticPLS": "multiview",
    "mate_retrieval": "sparse_cca",
}

__all__ = [
    "DeepCCAEY",
    "EYLoss",
    "MultiviewCCA",
    "MultiviewPLS",
    "PrimalDualSparseCCA",
    "SSLEY",
    "SparseCCA",
    "StochasticCCA",
    "StochasticPLS",
    "mate_retrieval",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # networks need torch, and scikit-learn takes a second to import
        return getattr(import_module(f"covey.learn.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
