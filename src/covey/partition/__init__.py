"""What if the features are spread over parties? Splits, measures of them, and the algorithms that face them.

Everything is imported on demand: networks need torch, an extra.
"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names
from covey.partition._channel import Channel, ChannelError, LocalNetwork, Message, Traffic
from covey.partition._partition import Partition

_HOME = {
    "Alignment": "alignment",
    "AlphaEstimate": "evaluators",
    "CVFL": "cvfl",
    "CorrelationSplitter": "splitters",
    "FeatureSplitter": "splitters",
    "GAL": "gal",
    "GlooChannel": "distributed",
    "IcorBounds": "splitters",
    "ImportanceSplitter": "splitters",
    "Leakage": "attacks",
    "Manifest": "_folder",
    "PartitionReport": "evaluators",
    "PartyImportance": "importance",
    "PartySimilarity": "similarity",
    "Pooled": "baselines",
    "Solo": "baselines",
    "SplitNN": "splitnn",
    "VerticalData": "datasets",
    "VerticalGBDT": "vertical_gbdt",
    "VerticalLinear": "linear",
    "align": "alignment",
    "align_party": "alignment",
    "canonical_correlations": "similarity",
    "check_row_ids": "alignment",
    "correlation_bounds": "evaluators",
    "defence_cost": "attacks",
    "estimate_alpha": "evaluators",
    "estimate_beta": "evaluators",
    "evaluate": "evaluators",
    "feature_reconstruction": "attacks",
    "inter_party_correlation": "evaluators",
    "label_inference": "attacks",
    "leakage": "attacks",
    "linear_cka": "similarity",
    "load": "datasets",
    "load_party": "_vertical",
    "make_parties": "datasets",
    "mean_absolute_correlation": "similarity",
    "mean_squared_canonical_correlation": "similarity",
    "party_correlation": "evaluators",
    "party_importance": "importance",
    "party_similarity": "similarity",
    "read_manifest": "_folder",
    "run_party": "distributed",
    "rv_coefficient": "similarity",
    "save_party": "_vertical",
    "write_split": "_folder",
}

__all__ = [
    "Channel",
    "ChannelError",
    "LocalNetwork",
    "Message",
    "Partition",
    "Traffic",
    "Alignment",
    "AlphaEstimate",
    "CVFL",
    "CorrelationSplitter",
    "FeatureSplitter",
    "GAL",
    "GlooChannel",
    "IcorBounds",
    "ImportanceSplitter",
    "Leakage",
    "Manifest",
    "PartitionReport",
    "PartyImportance",
    "PartySimilarity",
    "Pooled",
    "Solo",
    "SplitNN",
    "VerticalData",
    "VerticalGBDT",
    "VerticalLinear",
    "align",
    "align_party",
    "canonical_correlations",
    "check_row_ids",
    "correlation_bounds",
    "defence_cost",
    "estimate_alpha",
    "estimate_beta",
    "evaluate",
    "feature_reconstruction",
    "inter_party_correlation",
    "label_inference",
    "leakage",
    "linear_cka",
    "load",
    "load_party",
    "make_parties",
    "mean_absolute_correlation",
    "mean_squared_canonical_correlation",
    "party_correlation",
    "party_importance",
    "party_similarity",
    "read_manifest",
    "run_party",
    "rv_coefficient",
    "save_party",
    "write_split",
]

if TYPE_CHECKING:
    from covey.partition._folder import Manifest, read_manifest, write_split
    from covey.partition._vertical import load_party, save_party
    from covey.partition.alignment import Alignment, align, align_party, check_row_ids
    from covey.partition.attacks import Leakage, defence_cost, feature_reconstruction, label_inference, leakage
    from covey.partition.baselines import Pooled, Solo
    from covey.partition.cvfl import CVFL
    from covey.partition.datasets import VerticalData, load, make_parties
    from covey.partition.distributed import GlooChannel, run_party
    from covey.partition.evaluators import (
        AlphaEstimate,
        PartitionReport,
        correlation_bounds,
        estimate_alpha,
        estimate_beta,
        evaluate,
        inter_party_correlation,
        party_correlation,
    )
    from covey.partition.gal import GAL
    from covey.partition.importance import PartyImportance, party_importance
    from covey.partition.linear import VerticalLinear
    from covey.partition.similarity import (
        PartySimilarity,
        canonical_correlations,
        linear_cka,
        mean_absolute_correlation,
        mean_squared_canonical_correlation,
        party_similarity,
        rv_coefficient,
    )
    from covey.partition.splitnn import SplitNN
    from covey.partition.splitters import CorrelationSplitter, FeatureSplitter, IcorBounds, ImportanceSplitter
    from covey.partition.vertical_gbdt import VerticalGBDT

__getattr__ = lazy_names(__name__, _HOME)
