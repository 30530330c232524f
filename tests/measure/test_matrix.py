from __future__ import annotations

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import REASONS, AssociationMatrix, associate
from covey.measure._cluster import leaf_order
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps


def matrix_of(values, symmetric=True, **blocks):
    values = np.asarray(values, dtype=float)
    names = tuple(f"f{k}" for k in range(len(values)))
    kinds = ("numeric",) * len(values)
    n = np.full(values.shape, 9)
    reasons = np.isnan(values).astype(np.uint8)
    return AssociationMatrix("m", names, names, kinds, kinds, values, n, reasons, symmetric=symmetric, **blocks)


@pytest.fixture(scope="module")
def mixed():
    return associate(table(*with_gaps(mixed_columns(), 0.1), number("one", np.ones(400), "constant")))


NAN = np.nan
SIGNED = matrix_of([[1, 0.2, -0.9, NAN], [0.2, 1, 0.9, 0.0], [-0.9, 0.9, 1, -0.4], [NAN, 0.0, -0.4, 1]])
ONE_WAY = matrix_of([[1, 0.9, 0.1], [0.2, 1, NAN], [0.1, 0.5, 1]], symmetric=False)


def test_pairs_come_strongest_first_and_undefined_ones_last():
    pairs = SIGNED.pairs_table()
    named = list(zip(pairs["left"], pairs["right"]))
    expected = [("f0", "f2"), ("f1", "f2"), ("f2", "f3"), ("f0", "f1"), ("f1", "f3"), ("f0", "f3")]
    assert named == expected
    np.testing.assert_allclose(pairs["value"], [-0.9, 0.9, -0.4, 0.2, 0.0, NAN])
    np.testing.assert_allclose(pairs["strength"], [0.9, 0.9, 0.4, 0.2, 0.0, NAN])
    assert pairs["reason"][-1] == REASONS[1] and not any(pairs["reason"][:-1])


def test_pairs_of_an_asymmetric_matrix_have_both_directions():
    assert ONE_WAY.top(3) == [("f0", "f1", 0.9), ("f2", "f1", 0.5), ("f1", "f0", 0.2)]
    assert len(ONE_WAY.pairs_table()["left"]) == 6


def test_to_frame_and_to_pairs(mixed):
    frame = mixed.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert tuple(frame.index) == mixed.rows and tuple(frame.columns) == mixed.columns
    assert frame.loc["normal", "team"] == mixed["normal", "team"]
    pairs = mixed.to_pairs()
    assert list(pairs.columns) == ["left", "right", "value", "strength", "sign", "pvalue", "qvalue", "n", "reason"]
    assert len(pairs) == 12 * 11 / 2
    for row in pairs.itertuples():
        assert mixed[row.left, row.right] == row.value or np.isnan(row.value)
    assert pairs.strength.dropna().is_monotonic_decreasing
    assert "error_bound" in associate(np.eye(9), measure="distance_correlation").to_pairs()


def test_iteration_top_and_repr(mixed):
    everything = list(mixed)
    assert len(everything) == 66 and everything[0] == mixed.top(1)[0]
    assert mixed.top(100) == [pair for pair in everything if pair[2] == pair[2]]
    assert len(mixed.top(100)) == 55
    assert repr(SIGNED) == "<AssociationMatrix m 4 x 4: f0 ~ f2 -0.90; f1 ~ f2 0.90; f2 ~ f3 -0.40>"
    assert repr(matrix_of([[NAN]])) == "<AssociationMatrix m 1 x 1: >"


def test_names_and_reasons(mixed):
    assert "constant" in mixed.reason("normal", "one")
    assert mixed.reason("normal", "team") == ""
    with pytest.raises(ValueError, match="no column 'norml'; did you mean 'normal'"):
        mixed["norml", "team"]
    with pytest.raises(ValueError, match="did you mean 'team'"):
        mixed.reason("normal", "tem")


def test_qvalues_count_each_pair_once(mixed):
    i, j = np.triu_indices(len(mixed.rows), 1)
    p = mixed.pvalues[i, j]
    tested = ~np.isnan(p)
    for method in ("bh", "by"):
        q = mixed.qvalues(method)
        expected = stats.false_discovery_control(p[tested], method=method)
        np.testing.assert_allclose(q[i, j][tested], expected, atol=1e-12)
        np.testing.assert_array_equal(q, q.T)
        assert np.isnan(q[i, j][~tested]).all() and np.isnan(np.diag(q)).all()


def test_qvalues_of_other_shapes():
    p = np.array([[NAN, 0.01, 0.02], [0.03, NAN, 0.04], [0.9, 0.5, NAN]])
    q = matrix_of(np.eye(3), symmetric=False, pvalues=p).qvalues()
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(q[off], stats.false_discovery_control(p[off]))
    x = np.random.default_rng(0).normal(size=(50, 5))
    target = associate(x, measure="pearson", target="x0")
    np.testing.assert_allclose(target.qvalues()[:, 0], stats.false_discovery_control(target.pvalues[:, 0]))
    with pytest.raises(ValueError, match="pvalues=True"):
        associate(x, pvalues=False).qvalues()
    with pytest.raises(ValueError, match="'bh' or 'by'"):
        target.qvalues("holm")


def test_strength():
    np.testing.assert_array_equal(SIGNED.strength[0], [1, 0.2, 0.9, 0])
    np.testing.assert_array_equal(ONE_WAY.strength, [[1, 0.9, 0.1], [0.9, 1, 0.5], [0.1, 0.5, 1]])


def test_groups():
    x, e = np.random.default_rng(0).normal(size=(2, 300))
    data = np.column_stack([x, e, x + 0.1 * e, e - 0.1 * x, np.random.default_rng(1).normal(size=300)])
    matrix = associate(data, measure="pearson")
    assert sorted(map(sorted, matrix.groups(0.8))) == [["x0", "x2"], ["x1", "x3"]]
    assert matrix.groups(0.9999) == []
    with pytest.raises(ValueError, match="one table"):
        associate(data, target="x0").groups()


def test_graph(mixed):
    graph = mixed.graph(0.3)
    assert isinstance(graph, networkx.Graph) and tuple(graph) == mixed.rows
    assert graph.graph == {"measure": "auto", "threshold": 0.3}
    assert graph.nodes["team"] == {"kind": "categorical"}
    expected = {(a, b) for a, b, v in mixed if v >= 0.3}
    assert {frozenset(e) for e in graph.edges} == {frozenset(e) for e in expected} and len(expected) > 2
    edge = graph.edges["normal", "bin"]
    assert edge["weight"] == edge["value"] == mixed["normal", "bin"]
    assert edge["pvalue"] < 1e-10 and edge["sign"] == 0
    assert SIGNED.graph(0.5).edges["f0", "f2"] == {"weight": 0.9, "value": -0.9}
    assert not SIGNED.graph(0.0).has_edge("f0", "f3")  # undefined, not 0
    with pytest.raises(ValueError, match="one table"):
        associate(np.eye(9), np.eye(9)).graph()


def test_edges_of_an_asymmetric_matrix_carry_the_stronger_direction():
    graph = matrix_of(ONE_WAY.values.T, symmetric=False, pvalues=np.arange(9.0).reshape(3, 3)).graph(0.0)
    assert graph.edges["f0", "f1"] == {"weight": 0.9, "value": 0.9, "pvalue": 3.0}
    assert graph.edges["f1", "f2"] == {"weight": 0.5, "value": 0.5, "pvalue": 5.0}
    assert graph.edges["f0", "f2"]["pvalue"] == 2.0


def test_plot_is_ordered_as_the_clustering(mixed):
    figure = mixed.plot()
    leaves = leaf_order(mixed.strength)
    heat = figure.data[0]
    assert list(heat.x) == list(heat.y) == [mixed.rows[k] for k in leaves]
    assert list(heat.x) != list(mixed.rows)
    np.testing.assert_array_equal(np.array(heat.z, dtype=float), mixed.values[np.ix_(leaves, leaves)])
    assert list(mixed.plot(order=False).data[0].x) == list(mixed.rows)
    assert mixed.measure in figure.layout.title.text


def test_scales_of_the_plot():
    signed, unsigned = SIGNED.plot().data[0], matrix_of([[1, 0.5, 0], [0.5, 1, 0.1], [0, 0.1, 1]]).plot().data[0]
    assert (signed.zmin, signed.zmax) == (-1.0, 1.0) and (unsigned.zmin, unsigned.zmax) == (0.0, 1.0)
    wide = matrix_of([[0.7, 2.5], [2.5, 0.7]]).plot().data[0]
    assert wide.zmax == 2.5
    undefined = matrix_of([[NAN, NAN], [NAN, NAN]]).plot().data[0]
    assert (undefined.zmin, undefined.zmax) == (0.0, 1.0)
    target = associate(np.random.default_rng(0).normal(size=(50, 4)), target="x1").plot().data[0]
    assert list(target.x) == ["x1"] and list(target.y) == ["x0", "x2", "x3"]


def test_two_sets_are_not_a_square_even_when_names_agree():
    x = np.random.default_rng(0).normal(size=(60, 3))
    matrix = associate(x, x[:, ::-1], measure="pearson")
    assert matrix.rows == matrix.columns and not matrix.is_square
    assert matrix["x0", "x2"] == pytest.approx(1.0)
    assert len(list(matrix)) == 9
    assert matrix.pvalues[0, 2] == 0.0 and matrix.qvalues()[0, 2] == 0.0
    with pytest.raises(ValueError, match="one table"):
        matrix.groups()


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(0, 99), st.booleans())
def test_every_pair_is_listed_once(m, seed, symmetric):
    values = np.random.default_rng(seed).uniform(-1, 1, (m, m))
    values = (values + values.T) / 2 if symmetric else values
    matrix = matrix_of(values, symmetric)
    listed = [frozenset(p[:2]) if symmetric else p[:2] for p in matrix]
    assert len(set(listed)) == len(listed) == m * (m - 1) // (2 if symmetric else 1)


def test_category_and_number_have_a_value_either_way():
    x = np.arange(20.0)
    matrix = associate(table(category("half", x > 9), number("x", x)), measure="theils_u")
    assert matrix["x", "half"] > matrix["half", "x"]


def test_select_takes_features_in_the_order_given_with_all_that_is_known_of_them():
    matrix = associate(np.random.default_rng(0).normal(size=(40, 4)), measure="auto")
    part = matrix.select(["x3", "x1"])
    assert part.rows == part.columns == ("x3", "x1") and part.row_kinds == ("numeric", "numeric")
    at = np.ix_([3, 1], [3, 1])
    for name in ("values", "n", "reasons", "pvalues", "sign"):
        np.testing.assert_array_equal(getattr(part, name), getattr(matrix, name)[at])
    with pytest.raises(ValueError, match="x9"):
        matrix.select(["x1", "x9"])
    with pytest.raises(ValueError, match="every feature against every feature"):
        associate(np.random.default_rng(0).normal(size=(40, 4)), target="x0").select(["x0"])
