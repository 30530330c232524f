"""Can features be learned so that they relate as they should? Losses and representation learners."""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.learn._registry import selectors
    from covey.learn._shards import CountShards, shard_counts
    from covey.learn.b_attention import BAttention
    from covey.learn.causal_representation import NeuroevolutionaryRepresentation, t_learner, x_learner
    from covey.learn.concepts import ConceptEmbedding, patient_vectors
    from covey.learn.cooccurrence import Cooccurrence, CooccurrenceCounter, level_cooccurrence, pmi_matrix
    from covey.learn.deep_cca import SSLEY, DeepCCAEY, EYLoss
    from covey.learn.dynamic import CMIEstimator, DynamicFeatureSelector
    from covey.learn.embedding import Swivel, SwivelLoss
    from covey.learn.mi_bounds import (
        BilinearCritic,
        ConcatCritic,
        ConvolutionalEncoder,
        InfoNCE,
        MutualInformationBound,
        NWJBound,
        RealNVP,
        SeparableCritic,
        maximise_bound,
    )
    from covey.learn.multiview import MultiviewCCA, MultiviewPLS, StochasticCCA, StochasticPLS
    from covey.learn.sequential_attention import SequentialAttentionMask, SequentialAttentionSelector
    from covey.learn.sparse_cca import (
        PrimalDualSparseCCA,
        SparseCCA,
        mate_retrieval,
        primal_dual_pair,
        sparse_canonical_pair,
    )

_HOME = {
    "BAttention": "b_attention",
    "BilinearCritic": "mi_bounds",
    "CMIEstimator": "dynamic",
    "ConcatCritic": "mi_bounds",
    "ConceptEmbedding": "concepts",
    "ConvolutionalEncoder": "mi_bounds",
    "Cooccurrence": "cooccurrence",
    "CooccurrenceCounter": "cooccurrence",
    "CountShards": "_shards",
    "DeepCCAEY": "deep_cca",
    "DynamicFeatureSelector": "dynamic",
    "EYLoss": "deep_cca",
    "InfoNCE": "mi_bounds",
    "MultiviewCCA": "multiview",
    "MultiviewPLS": "multiview",
    "MutualInformationBound": "mi_bounds",
    "NWJBound": "mi_bounds",
    "NeuroevolutionaryRepresentation": "causal_representation",
    "PrimalDualSparseCCA": "sparse_cca",
    "RealNVP": "mi_bounds",
    "SSLEY": "deep_cca",
    "SeparableCritic": "mi_bounds",
    "SequentialAttentionMask": "sequential_attention",
    "SequentialAttentionSelector": "sequential_attention",
    "SparseCCA": "sparse_cca",
    "StochasticCCA": "multiview",
    "StochasticPLS": "multiview",
    "Swivel": "embedding",
    "SwivelLoss": "embedding",
    "level_cooccurrence": "cooccurrence",
    "mate_retrieval": "sparse_cca",
    "maximise_bound": "mi_bounds",
    "patient_vectors": "concepts",
    "pmi_matrix": "cooccurrence",
    "primal_dual_pair": "sparse_cca",
    "selectors": "_registry",
    "shard_counts": "_shards",
    "sparse_canonical_pair": "sparse_cca",
    "t_learner": "causal_representation",
    "x_learner": "causal_representation",
}

__all__ = [
    "BAttention",
    "BilinearCritic",
    "CMIEstimator",
    "ConcatCritic",
    "ConceptEmbedding",
    "ConvolutionalEncoder",
    "Cooccurrence",
    "CooccurrenceCounter",
    "CountShards",
    "DeepCCAEY",
    "DynamicFeatureSelector",
    "EYLoss",
    "InfoNCE",
    "MultiviewCCA",
    "MultiviewPLS",
    "MutualInformationBound",
    "NWJBound",
    "NeuroevolutionaryRepresentation",
    "PrimalDualSparseCCA",
    "RealNVP",
    "SSLEY",
    "SeparableCritic",
    "SequentialAttentionMask",
    "SequentialAttentionSelector",
    "SparseCCA",
    "StochasticCCA",
    "StochasticPLS",
    "Swivel",
    "SwivelLoss",
    "level_cooccurrence",
    "mate_retrieval",
    "maximise_bound",
    "patient_vectors",
    "pmi_matrix",
    "primal_dual_pair",
    "selectors",
    "shard_counts",
    "sparse_canonical_pair",
    "t_learner",
    "x_learner",
]

__getattr__ = lazy_names(__name__, _HOME)  # networks need torch, and scikit-learn takes a second to import
