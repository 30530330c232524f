"""Any source of rows and columns in; one typed `FeatureTable` out."""

from covey.table._atomic import atomic_write
from covey.table._blocks import BlockSource, iter_blocks
from covey.table._infer import MISSING, clean_names, is_absent
from covey.table._json import plain
from covey.table._read import read
from covey.table._table import KINDS, Column, FeatureTable, Kind, Note, unknown_column
from covey.table._target import are_classes, target_values
from covey.table._write import to_arrow, write

__all__ = [
    "KINDS",
    "MISSING",
    "BlockSource",
    "Column",
    "FeatureTable",
    "Kind",
    "Note",
    "are_classes",
    "atomic_write",
    "clean_names",
    "is_absent",
    "iter_blocks",
    "plain",
    "read",
    "target_values",
    "to_arrow",
    "unknown_column",
    "write",
]
