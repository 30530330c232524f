from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from covey.engine import LocalEngine
from covey.measure import REASONS, Measure, associate, get, measures
from covey.measure._measure import PairStatistics, any_pair
from covey.table import Column, read
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps

FAST = [
    "auto",
    "correlation_ratio",
    "cramers_v",
    "distance_correlation",
    "hsic",
    "mutual_information",
    "pearson",
    "spearman",
    "theils_u",
]


@pytest.fixture(scope="module")
def data():
    return table(*with_gaps(mixed_columns(), 0.1))


def test_every_name_leads_to_a_measure():
    for name in measures():
        assert get(name).name == name and get(name).summary


@pytest.mark.parametrize("measure", measures())
def test_shape_symmetry_and_ranges(data, measure):
    matrix = associate(data, measure=measure)
    chosen = get(measure)
    assert matrix.measure == measure and matrix.shape == (11, 11) and matrix.rows == data.names
    assert matrix.symmetric == chosen.symmetric
    if chosen.symmetric:
        np.testing.assert_array_equal(matrix.values, matrix.values.T)
    defined = matrix.values[~np.isnan(matrix.values)]
    assert len(defined) > 20
    np.testing.assert_array_equal(np.isnan(matrix.values), matrix.reasons > 0)
    if "information" not in measure:
        assert defined.max() <= 1.0
    if not chosen.signed and measure != "distance_correlation_corrected" and measure != "chatterjee_xi":
        assert defined.min() >= 0.0
    if matrix.pvalues is not None:
        p = matrix.pvalues[~np.isnan(matrix.pvalues)]
        assert p.min(initial=0.0) >= 0.0 and p.max(initial=0.0) <= 1.0
        assert np.isnan(np.diag(matrix.pvalues)).all()


@pytest.mark.parametrize("measure", FAST)
def test_target_and_two_tables_give_the_same_values(data, measure):
    square = associate(data, measure=measure)
    target = associate(data, measure=measure, target="flag")
    assert target.columns == ("flag",) and target.rows == tuple(n for n in data.names if n != "flag")
    for name in target.rows:
        np.testing.assert_allclose(target[name, "flag"], square[name, "flag"], atol=1e-12)
    left, right = data.select(["team", "normal"]), data.select(["cauchy", "flag", "normal"])
    sets = associate(left, right, measure=measure)
    assert sets.shape == (2, 3) and sets.two_sets
    for a in sets.rows:
        for b in sets.columns:
            np.testing.assert_allclose(sets[a, b], square[a, b], atol=1e-9)


@pytest.mark.parametrize("measure", FAST)
def test_pvalues_can_be_left_out(data, measure):
    with_p, without = (associate(data, measure=measure, pvalues=p) for p in (True, False))
    assert without.pvalues is None and with_p.pvalues is not None
    np.testing.assert_array_equal(with_p.values, without.values)


@pytest.mark.parametrize("measure", FAST)
def test_duplicated_columns_and_more_columns_than_rows(measure):
    x = np.random.default_rng(0).integers(0, 3, (8, 20)).astype(float)
    columns = [number(f"n{k}", x[:, k]) for k in range(10)] + [category(f"c{k}", x[:, k], 3) for k in range(10)]
    columns += [Column("again", "numeric", columns[0].values)]
    matrix = associate(table(*columns), measure=measure)
    assert matrix.shape == (21, 21)
    if matrix.reason("n0", "again") == "":
        assert matrix["n0", "again"] == pytest.approx(matrix["n0", "n0"])


@pytest.mark.parametrize("measure", measures())
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_rows_never_crash(measure, n):
    x = np.random.default_rng(n).normal(size=n)
    columns = [
        number("a", x),
        number("b", x**2),
        category("c", np.arange(n)),
        category("d", np.arange(n) % 2, 2, "boolean"),
    ]
    matrix = associate(table(*columns), measure=measure)
    np.testing.assert_array_equal(np.isnan(matrix.values), matrix.reasons > 0)
    if n == 1:
        assert np.isnan(matrix.values).all()


def test_one_column():
    matrix = associate(np.arange(9.0)[:, None], measure="pearson")
    assert matrix.shape == (1, 1) and matrix.values[0, 0] == 1.0
    assert list(matrix) == [] and matrix.groups() == [] and len(matrix.to_pairs()) == 0
    assert matrix.plot().data[0].x == ("x0",)


def test_columns_that_no_measure_takes():
    columns = [
        number("x", np.arange(40.0)),
        number("constant", np.ones(40), "constant"),
        number("id", np.arange(40), "id"),
        category("text", np.arange(40), kind="text"),
    ]
    matrix = associate(table(*columns))
    assert "constant" in matrix.reason("x", "constant")
    assert matrix.reason("x", "id") == matrix.reason("text", "x") == REASONS[4]
    np.testing.assert_array_equal(matrix.n, 40)
    alone = associate(table(*columns[1:]))
    assert np.isnan(alone.values).all() and np.isnan(alone.pvalues).all()


def test_infinities_are_missing_and_noted():
    x = np.random.default_rng(0).normal(size=(60, 2))
    x[3, 0] = np.inf
    matrix = associate(x, measure="pearson")
    assert matrix.n[0, 1] == 59 and np.isfinite(matrix.values[0, 1])
    assert any("infinite" in note for note in matrix.info["notes"])


def test_ten_thousand_categories_are_pooled_and_noted():
    codes = np.concatenate([np.arange(10_000), np.zeros(5000, dtype=int)])
    columns = [category("many", codes), category("first", codes == 0), number("x", np.arange(15_000.0))]
    matrix = associate(table(*columns))
    assert any(note.startswith("many: the rarest 7953 of 10000") for note in matrix.info["notes"])
    assert np.isfinite(matrix["many", "x"]) and matrix["many", "first"] > 0.5
    ratio = associate(table(*columns), measure="correlation_ratio")
    assert not ratio.info["notes"] and np.isfinite(ratio["x", "many"])


def test_errors_name_what_is_wrong(data):
    with pytest.raises(ValueError, match=r"no measure 'spearmn'; choose one of .*spearman"):
        associate(data, measure="spearmn")
    with pytest.raises(ValueError, match="no column 'norml'; did you mean 'normal'"):
        associate(data, target="norml")
    with pytest.raises(ValueError, match="400 and 399 rows"):
        associate(data, data.take(slice(1, None)))
    with pytest.raises(ValueError, match="second table or a target"):
        associate(data, data, target="normal")
    with pytest.raises(ValueError, match="no engine 'slurm'"):
        associate(data, engine="slurm")


def test_a_measure_of_ones_own():
    def kernel(store, left, right, engine, pvalues):
        values = [store.numbers(i).sum() - store.numbers(j).sum() for i, j in zip(left, right)]
        return PairStatistics(np.array(values), np.full(len(left), store.n_rows))

    own = Measure("difference", "of sums", lambda x, y: float(x.sum() - y.sum()), kernel, any_pair, symmetric=False)
    x = np.random.default_rng(0).normal(size=(10, 3))
    matrix = associate(x, measure=own)
    assert matrix["x0", "x2"] == pytest.approx(x[:, 0].sum() - x[:, 2].sum()) == -matrix["x2", "x0"]
    assert "difference" not in measures() and matrix.pvalues is None


def test_takes_what_read_takes(data, tmp_path):
    frame = pd.DataFrame({c.name: c.labels() for c in data.columns()})
    frame.to_csv(tmp_path / "t.csv", index=False)
    names = ["normal", "cauchy", "team"]
    for source in (frame[names], read(frame[names])):
        np.testing.assert_allclose(associate(source).values, associate(data.select(names)).values, atol=1e-12)
    assert associate(tmp_path / "t.csv")["normal", "bin"] == pytest.approx(associate(data)["normal", "bin"])


def test_info(data):
    info = associate(data, engine=LocalEngine(2)).info
    assert info["rows"] == 400 and info["seconds"] > 0 and info["engine"] == "LocalEngine(2)"


def test_size_of_the_correlation_tests():
    """300 tables of ten independent columns: every pair is rejected about as often as the level says."""
    rng, n_tables = np.random.default_rng(0), 300
    rejected = {"pearson": np.zeros((10, 10)), "spearman": np.zeros((10, 10))}
    for _ in range(n_tables):
        x = rng.normal(size=(60, 10))
        for measure, count in rejected.items():
            count += associate(x, measure=measure, engine=LocalEngine(1)).pvalues < 0.05
    limit = 4 * np.sqrt(0.05 * 0.95 / n_tables)
    for count in rejected.values():
        share = count[np.triu_indices(10, 1)] / n_tables
        assert np.all(np.abs(share - 0.05) <= limit)
        assert abs(share.mean() - 0.05) <= limit / 4
