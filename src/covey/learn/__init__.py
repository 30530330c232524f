"""Can features be learned so that they relate as they should? Losses and representation learners."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.learn._shards import CountShards, shard_counts
    from covey.learn.b_attention import BAttention
    from covey.learn.concepts import ConceptEmbedding, patient_vectors
    from covey.learn.cooccurrence import Cooccurrence, CooccurrenceCounter, level_cooccurrence, pmi_matrix
    from covey.learn.deep_cca import SSLEY, DeepCCAEY, EYLoss
    from covey.learn.embedding import Swivel, SwivelLoss
    from covey.learn.multiview import MultiviewCCA, MultiviewPLS, StochasticCCA, StochasticPLS
    from covey.learn.sparse_cca import PrimalDualSparseCCA, SparseCCA, mate_retrieval

_HOME = {
    "BAttention": "b_attention",
    "ConceptEmbedding": "concepts",
    "Cooccurrence": "cooccurrence",
    "CooccurrenceCounter": "cooccurrence",
    "CountShards": "_shards",
    "DeepCCAEY": "deep_cca",
    "EYLoss": "deep_cca",
    "MultiviewCCA": "multiview",
    "MultiviewPLS": "multiview",
    "PrimalDualSparseCCA": "sparse_cca",
    "SSLEY": "deep_cca",
    "SparseCCA": "sparse_cca",
    "StochasticCCA": "multiview",
    "StochasticPLS": "multiview",
    "Swivel": "embedding",
    "SwivelLoss": "embedding",
    "level_cooccurrence": "cooccurrence",
    "mate_retrieval": "sparse_cca",
    "patient_vectors": "concepts",
    "pmi_matrix": "cooccurrence",
    "shard_counts": "_shards",
}

__all__ = [
    "BAttention",
    "ConceptEmbedding",
    "Cooccurrence",
    "CooccurrenceCounter",
    "CountShards",
    "DeepCCAEY",
    "EYLoss",
    "MultiviewCCA",
    "MultiviewPLS",
    "PrimalDualSparseCCA",
    "SSLEY",
    "SparseCCA",
    "StochasticCCA",
    "StochasticPLS",
    "Swivel",
    "SwivelLoss",
    "level_cooccurrence",
    "mate_retrieval",
    "patient_vectors",
    "pmi_matrix",
    "shard_counts",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # networks need torch, and scikit-learn takes a second to import
        return getattr(import_module(f"covey.learn.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
