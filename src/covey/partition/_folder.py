"""A split on disk: one Parquet file a party, one for the labels, and a manifest that says who holds what."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.partition._partition import Partition
from covey.table import Column, FeatureTable, atomic_write, plain, read, to_arrow, unknown_column, write

FORMAT, VERSION = "covey-split", 1
MANIFEST, LABELS, ID = "split.json", "labels.parquet", "row_id"


@dataclass(frozen=True)
class Manifest:
    """What ``split.json`` says.

    Parameters
    ----------
    folder : Path
    party_names : tuple of str
    files : tuple of str
        File of each party, relative to the folder.
    columns : tuple of tuple of str
        Columns of each party; may be empty.
    label : str
        Name of the column to predict; ``""`` if no party holds one.
    label_party : int
        Rank of the party that holds it.
    task : str
        ``"classification"`` or ``"regression"``.
    id : str
        Column of every file that tells which sample a row is.
    facts : mapping
        How the split was made: alpha, beta, bounds, seed, ...
    """

    folder: Path
    party_names: tuple[str, ...]
    files: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    label: str
    label_party: int
    task: str = "auto"
    id: str = ID
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_parties(self) -> int:
        """Number of parties."""
        return len(self.files)

    @property
    def partition(self) -> Partition:
        """The partition of all columns, in the order of the parties."""
        names = tuple(dict.fromkeys(name for columns in self.columns for name in columns))
        return Partition.from_mapping(dict(zip(self.party_names, self.columns)), names)

    def read_party(self, rank: int) -> tuple[NDArray, FeatureTable | NDArray[np.float64]]:
        """Row ids and columns of one party; an array of shape (n_rows, 0) if it has no column.

        Raises
        ------
        ValueError
            If the party's file lacks the id or a column of the manifest.
        """
        if not 0 <= rank < self.n_parties:
            raise ValueError(f"{self.folder} has parties 0 to {self.n_parties - 1}, not {rank}")
        ids, table = _read(self.folder / self.files[rank], self.id, self.columns[rank])
        return ids, np.empty((len(ids), 0)) if table is None else table

    def read_labels(self) -> tuple[NDArray, NDArray]:
        """Row ids and labels; what the label holder reads beside its own columns.

        Raises
        ------
        ValueError
            If no party holds a label.
        """
        if not self.label:
            raise ValueError(f"no party of {self.folder} holds a label; split again and name the target")
        ids, table = _read(self.folder / LABELS, self.id, (self.label,))
        assert table is not None
        return ids, np.asarray(table[self.label].labels())

    def read_all(self) -> tuple[list[FeatureTable | NDArray[np.float64]], NDArray]:
        """Columns of every party and the labels, for a simulation in one process.

        Raises
        ------
        ValueError
            If the files do not hold the same rows in the same order.
        """
        ids, y = self.read_labels()
        return self._read_same_rows(LABELS, ids), y

    def read_features(self) -> list[FeatureTable | NDArray[np.float64]]:
        """Columns of every party, whether or not one of them holds a label.

        Raises
        ------
        ValueError
            If the files do not hold the same rows in the same order.
        """
        ids, _ = self.read_party(0)
        return self._read_same_rows(self.files[0], ids)

    def _read_same_rows(self, reference: str, ids: NDArray) -> list[FeatureTable | NDArray[np.float64]]:
        parties = []
        for rank, file in enumerate(self.files):
            own, X = self.read_party(rank)
            if not np.array_equal(own, ids):
                differing = len(np.setxor1d(own, ids)) or "the order of the"
                raise ValueError(
                    f"{file} and {reference} differ in {differing} row ids; join them first (--align, align)"
                )
            parties.append(X)
        return parties


def write_split(
    folder: str | Path,
    table: Any,
    partition: Partition,
    target: str | None,
    *,
    label_party: int = 0,
    ids: NDArray | None = None,
    task: str = "auto",
    facts: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write each party's columns to a file of its own; the manifest comes last, so that an unfinished folder has none.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    table : FeatureTable, or anything that `covey.read` takes
        Holds the columns of the partition and the target.
    partition : Partition
    target : str, optional
        Column to predict; must lie with no party. None for a split without labels.
    label_party : int
    ids : ndarray of shape (n_rows,), optional
        Tells which sample a row is; 0, 1, 2, ... by default.
    task : {"auto", "classification", "regression"}
    facts : mapping, optional
        How the split was made, as plain values.

    Returns
    -------
    Manifest

    Raises
    ------
    ValueError
        If the target is unknown or lies with a party, or a column is called as the ids are.

    Examples
    --------
    >>> import tempfile
    >>> table = read("covey:german_credit")
    >>> partition = Partition.from_mapping({"bank": ["age"], "shop": ["purpose"]}, table.names)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = write_split(folder, table, partition, "credit", label_party=1)
    ...     ids, X = read_manifest(folder).read_party(0)
    >>> X.names, len(ids), manifest.label
    (('age',), 1000, 'credit')
    """
    if not 0 <= label_party < partition.n_parties:
        raise ValueError(f"the label holder must be one of the parties 0 to {partition.n_parties - 1}")
    table = table if isinstance(table, FeatureTable) else read(table)
    if target is not None and target not in table:
        raise ValueError(unknown_column(target, table.names))
    for k, name in enumerate(partition.party_names):
        if target in partition.columns(k):
            raise ValueError(f"party {name!r} holds the target {target!r} among its features; leave it out")
        if ID in partition.columns(k):
            raise ValueError(f"party {name!r} has a column {ID!r}, the name of the row ids; rename it")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    ids = np.arange(table.n_rows) if ids is None else np.asarray(ids)
    files = tuple(f"party-{k}.parquet" for k in range(partition.n_parties))
    for k, file in enumerate(files):
        _write(folder / file, ids, [table[name] for name in partition.columns(k)])
    if target is not None:
        _write(folder / LABELS, ids, [table[target]])
    manifest = Manifest(
        folder=folder,
        party_names=partition.party_names,
        files=files,
        columns=tuple(partition.columns(k) for k in range(partition.n_parties)),
        label=target or "",
        label_party=label_party,
        task=task,
        facts=dict(facts or {}),
    )
    with atomic_write(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(_to_json(manifest), indent=1, ensure_ascii=False), encoding="utf-8")
    return manifest


def read_mapping(path: str | Path) -> dict[str, list[str]]:
    """Which party holds which columns, from a file.

    Parameters
    ----------
    path : path
        ``.json`` with an object of party to list of columns, or ``.csv`` with the columns ``feature`` and ``party``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    path = Path(path)
    return _mapping_of_json(path) if path.suffix == ".json" else _mapping_of_csv(path)


def _mapping_of_json(path: Path) -> dict[str, list[str]]:
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(mapping, dict) or not all(isinstance(columns, list) for columns in mapping.values()):
        raise ValueError(f'{path} must hold an object of party to list of columns, as in {{"bank": ["age"]}}')
    return mapping


def _mapping_of_csv(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a mark before the first name
        rows = list(csv.DictReader(file))
    if not rows or not {"feature", "party"} <= rows[0].keys():
        raise ValueError(f"{path} must be a CSV file with the columns feature and party, or a JSON file")
    mapping: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=1):
        if not row["feature"] or not row["party"]:
            raise ValueError(f"{path}: entry {number} lacks its feature or its party")
        mapping.setdefault(row["party"], []).append(row["feature"])
    return mapping


def read_manifest(folder: str | Path) -> Manifest:
    """Read ``split.json`` of a folder.

    Raises
    ------
    ValueError
        If it is not there, not complete, or of another version.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} holds no split ({MANIFEST} is not there); make one with covey split") from None
    except ValueError as error:
        raise ValueError(f"{path} is not readable: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is no manifest of a covey split")
    if content.get("version") != VERSION:
        raise ValueError(f"{path} has version {content.get('version')}; covey reads {VERSION}: split again")
    try:
        parties = content["parties"]
        manifest = Manifest(
            folder=Path(folder),
            party_names=tuple(party["name"] for party in parties),
            files=tuple(party["file"] for party in parties),
            columns=tuple(tuple(party["columns"]) for party in parties),
            label=content["label"]["column"],
            label_party=content["label"]["party"],
            task=content["label"]["task"],
            id=content["id"],
            facts=content["facts"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} lacks {error}") from error
    if not 0 <= manifest.label_party < manifest.n_parties:
        raise ValueError(f"{path} gives the label to party {manifest.label_party} of {manifest.n_parties}")
    return manifest


def _to_json(manifest: Manifest) -> dict[str, Any]:
    parties = zip(manifest.party_names, manifest.files, manifest.columns)
    return {
        "format": FORMAT,
        "version": VERSION,
        "parties": [{"name": name, "file": file, "columns": list(columns)} for name, file, columns in parties],
        "label": {"party": manifest.label_party, "column": manifest.label, "file": LABELS, "task": manifest.task},
        "id": manifest.id,
        "facts": plain(manifest.facts),
    }


def _write(path: Path, ids: NDArray, columns: Sequence[Column]) -> None:
    import pyarrow as pa

    stored = pa.table({ID: pa.array(ids)} | {column.name: to_arrow(column) for column in columns})
    write(stored, path)


def _read(path: Path, id: str, columns: Sequence[str]) -> tuple[NDArray, FeatureTable | None]:
    """Ids as they are stored, and the columns as a table (None for no column)."""
    import pyarrow.parquet as pq

    try:
        stored = pq.read_table(path)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there, though the manifest names it") from None
    for name in (id, *columns):
        if name not in stored.column_names:
            raise ValueError(f"{path}: {unknown_column(name, stored.column_names)}")
    ids = stored.column(id).to_numpy(zero_copy_only=False)
    return ids, read(stored.select(list(columns))) if columns else None
