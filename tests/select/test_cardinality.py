"""Cardinality-corrected mutual information: its definition, chunks, blocks, 3MR, quality, bad input."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import adjusted_mutual_info_score, contingency_matrix, expected_mutual_information
from sklearn.utils.estimator_checks import parametrize_with_checks

import covey
from covey.engine import LocalEngine, _reduce
from covey.select import _table_stream
from covey.select.cardinality import CardinalityAwareRanker, cardinality_corrected_mi, rank_3mr
from covey.table import iter_blocks, read

CORRECTIONS = ["analytic", "permutation", "shift", "none"]


@parametrize_with_checks([CardinalityAwareRanker(), CardinalityAwareRanker(ranking="3mr", k=1, correction="shift")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def conditional_entropy(x, y):
    """H(Y|X) by a scan of the values of x; those that occur once add nothing."""
    total = 0.0
    for value in np.unique(x):
        counts = np.unique(y[x == value], return_counts=True)[1]
        p = counts / counts.sum()
        if counts.sum() > 1:
            total -= counts.sum() / len(x) * np.sum(p * np.log(p))
    return total


def shift_by_definition(x, y):
    moved = np.array([y[(i + np.count_nonzero(x == x[i])) % len(x)] for i in range(len(x))])
    return conditional_entropy(x, moved) - conditional_entropy(x, y)


@pytest.mark.parametrize("n, n_x, n_y", [(60, 4, 2), (300, 40, 5), (500, 400, 3), (400, 90, 300)])
def test_definitions(n, n_x, n_y):
    rng = np.random.default_rng(n)
    x = rng.integers(0, n_x, n)
    y = (x + rng.integers(0, n_y, n)) % n_y
    information = mutual_info_score(x, y)
    assert cardinality_corrected_mi(x, y, "none") == pytest.approx(information, abs=1e-12)
    assert cardinality_corrected_mi(x, y, "shift") == pytest.approx(shift_by_definition(x, y), abs=1e-12)
    table = contingency_matrix(x, y, sparse=True)
    expected = expected_mutual_information(table, n)
    assert cardinality_corrected_mi(x, y) == pytest.approx(information - expected, abs=1e-9)
    drawn = cardinality_corrected_mi(x, y, "permutation", n_permutations=400, random_state=1)
    assert drawn == pytest.approx(information - expected, abs=0.03)


def test_large_tables_are_counted_as_small_ones():
    from covey.select._cardinality_kernels import _dense_sum, _sorted_sum, cell_sum

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 900, 5000).astype(np.int32), rng.integers(0, 700, 5000).astype(np.int32)
    counts = np.unique(np.stack([x, y]), axis=1, return_counts=True)[1]
    for found in (cell_sum(x, y, 900, 700), _dense_sum(x, y, 900, 700), _sorted_sum(x, y, 900, 700)):
        assert found == pytest.approx(np.sum(counts * np.log(counts)), abs=1e-9)


def test_a_column_of_ten_thousand_values_at_200_000_rows():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 10_000, 200_000), rng.integers(0, 2, 200_000)
    few, label = np.minimum(rng.zipf(1.3, 5000), 3000), rng.integers(0, 50, 5000)
    for left, right in ((x, y), (few, label)):
        expected = expected_mutual_information(contingency_matrix(left, right, sparse=True), len(left))
        gap = mutual_info_score(left, right) - expected
        assert cardinality_corrected_mi(left, right) == pytest.approx(gap, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(2, 40), st.integers(2, 6))
def test_invariances(seed, n_x, n_y):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, n_x, 80), rng.integers(0, n_y, 80)
    names, rows = rng.permutation(1000)[:n_x], rng.permutation(80)
    for correction in CORRECTIONS:  # other names of the values
        assert cardinality_corrected_mi(names[x], y, correction) == pytest.approx(
            cardinality_corrected_mi(x, y, correction), abs=1e-12, nan_ok=True
        )
    for correction in ("analytic", "none"):  # another order of the rows; the columns change places
        score = cardinality_corrected_mi(x, y, correction)
        assert cardinality_corrected_mi(x[rows], y[rows], correction) == pytest.approx(score, abs=1e-12, nan_ok=True)
        assert cardinality_corrected_mi(y, x, correction) == pytest.approx(score, abs=1e-12, nan_ok=True)
    pair = cardinality_corrected_mi(x, y) - mutual_info_score(x, y)
    assert np.isnan(pair) or pair <= 1e-12  # chance never takes away information


def test_the_mean_over_irrelevant_columns_is_zero():
    rng = np.random.default_rng(0)
    for n_x in (10, 300, 1500):
        drawn = [
            [cardinality_corrected_mi(rng.integers(0, n_x, 2000), rng.integers(0, 3, 2000), c) for c in CORRECTIONS]
            for _ in range(100)
        ]
        mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0) / 10
        assert np.all(np.abs(mean[:3]) < 4 * error[:3] + 1e-4)
        assert mean[3] > 10 * error[3]


def test_diagonal_rows_seen_once_missing_rows_and_constants():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 50, 400)
    entropy = mutual_info_score(x, x)
    assert [cardinality_corrected_mi(x, x, c) for c in CORRECTIONS] == pytest.approx([entropy] * 4)
    assert cardinality_corrected_mi(np.arange(400), x) == pytest.approx(0.0, abs=1e-12)  # every value once
    assert cardinality_corrected_mi(np.arange(400), x, "shift") == 0.0
    holed, y = np.where(rng.random(400) < 0.3, -1, x), x % 3
    kept = holed >= 0
    for correction in CORRECTIONS:
        assert cardinality_corrected_mi(holed, y, correction) == cardinality_corrected_mi(x[kept], y[kept], correction)
    assert cardinality_corrected_mi(5 * x + 1, 7 * x + 2) == cardinality_corrected_mi(x, 50 - x)  # others, not itself
    assert np.isnan(cardinality_corrected_mi(np.zeros(10, dtype=int), np.arange(10)))
    assert np.isnan(cardinality_corrected_mi(np.full(10, -1), np.arange(10)))


def test_a_fraction_of_the_rows():
    rng = np.random.default_rng(0)
    x = np.repeat(np.arange(10), 200)[rng.permutation(2000)]
    y = (x < 5).astype(int) ^ (rng.random(2000) < 0.1)
    kept = np.concatenate([np.flatnonzero(x == v)[:100] for v in range(10)])
    kept.sort()
    for correction in CORRECTIONS:
        whole = 0.5 * cardinality_corrected_mi(x[kept], y[kept], correction)
        assert cardinality_corrected_mi(x, y, correction, fraction=0.5) == pytest.approx(whole, abs=1e-12)
    many = np.arange(2000)  # not one row a value: all rows
    assert cardinality_corrected_mi(many, y, "none", fraction=0.5) == pytest.approx(0.5 * mutual_info_score(many, y))


def test_3mr_by_its_definition():
    rng = np.random.default_rng(0)
    relevance, redundancy, relation = rng.random(8), rng.random((8, 8)), rng.random((8, 8))
    for aggregate, function in (("median", np.median), ("mean", np.mean), ("sum", np.sum)):
        order = [int(np.argmax(relevance))]
        while len(order) < 8:
            rest = [f for f in range(8) if f not in order]
            gain = [
                relevance[f] - 0.7 * function(redundancy[f, order]) + 1.3 * function(relation[f, order]) for f in rest
            ]
            order.append(rest[int(np.argmax(gain))])
        path = rank_3mr(relevance, redundancy, relation, alpha=0.7, beta=1.3, aggregate=aggregate)
        assert list(path.order) == order
        assert path.gains[-1] == pytest.approx(gain[0], abs=1e-12)
        lazy = rank_3mr(
            relevance, lambda j: redundancy[:, j], lambda j: relation[:, j], 4, 0.7, 1.3, aggregate=aggregate
        )
        assert list(lazy.order) == order[:4]
    with pytest.raises(ValueError, match="aggregate must be one of median, mean, sum"):
        rank_3mr(relevance, redundancy, aggregate="max")
    with pytest.raises(ValueError, match=r"relation has shape \(8,\)"):
        rank_3mr(relevance, redundancy, relevance)


@pytest.fixture(scope="module")
def frame():
    """Two halves of an exclusive or, a relevant column and its copy, noise of many values, numbers, gaps."""
    rng = np.random.default_rng(0)
    n = 6000
    a, b, c = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, 5, n)
    y = (a ^ b) | ((c == 0) & (rng.random(n) < 0.6))
    return pd.DataFrame(
        {
            "a": np.array(["p", "q"])[a],
            "b": np.array(["p", "q"])[b],
            "c": [f"c{v}" for v in c],
            "copy": [f"d{v}" for v in np.where(rng.random(n) < 0.02, 0, c)],
            "noise": [f"user {v}" for v in rng.integers(0, 3000, n)],
            "amount": np.where(rng.random(n) < 0.2, np.nan, y + rng.normal(size=n)),
            "digit": rng.integers(0, 9, n).astype(float),
            "flat": 1.0,
            "y": np.where(y == 1, "yes", "no"),
        }
    )


def test_mixed_tables_with_missing_values(frame):
    X, y = frame.drop(columns="y"), frame["y"]
    ranker = CardinalityAwareRanker(k=3).fit(X, y)
    assert ranker.get_feature_names_out().tolist() == ["c", "copy", "amount"]
    assert ranker.scores_[4] == pytest.approx(0.0, abs=0.01) and np.isnan(ranker.scores_[7])
    plain = CardinalityAwareRanker("none", k=1).fit(X, y)
    assert plain.get_feature_names_out().tolist() == ["noise"]
    codes = (y == "yes").astype(int).to_numpy()
    c = np.unique(frame["c"], return_inverse=True)[1]
    assert ranker.scores_[2] == pytest.approx(cardinality_corrected_mi(c, codes))
    found = {q.name: q for q in ranker.quality_}
    assert found["c"].cardinality == 5 and found["amount"].coverage == pytest.approx(0.8, abs=0.02)
    assert found["noise"].rare > 0.1 and found["noise"].flags == ("rare values",) and not found["c"].flags
    numeric = CardinalityAwareRanker(k="all").fit(X, np.random.default_rng(0).normal(size=len(X)) + codes)
    assert np.nanargmax(numeric.scores_) in (2, 3, 5)


def test_3mr_takes_the_partner_and_leaves_the_copy(frame):
    X, y = frame[["a", "b", "c", "copy", "noise"]], frame["y"]
    alone = CardinalityAwareRanker(k=3).fit(X, y).ranking_
    ranker = CardinalityAwareRanker(ranking="3mr", k=3).fit(X, y)
    matrix = CardinalityAwareRanker(ranking="3mr", k=3, pairwise=True).fit(X, y)
    assert ranker.get_support(indices=True).tolist() == [0, 1, 2] and alone[3] <= 2
    np.testing.assert_array_equal(ranker.ranking_, matrix.ranking_)
    a, b, target = (np.unique(v, return_inverse=True)[1] for v in (X["a"], X["b"], y))
    path = ranker.ranking_.argsort()[:3].tolist()
    assert path[0] == 2
    redundant = [cardinality_corrected_mi(a, np.unique(X[k], return_inverse=True)[1]) for k in ("c", "b")]
    assert matrix.redundancy_[0, [2, 1]] == pytest.approx(redundant)
    np.testing.assert_allclose(matrix.redundancy_, matrix.redundancy_.T)
    own = CardinalityAwareRanker("shift", pairwise=True, k=1).fit(X, y).redundancy_
    assert own[4, 1] == pytest.approx(
        cardinality_corrected_mi(np.unique(X["noise"], return_inverse=True)[1], b, "shift")
    )
    joint = cardinality_corrected_mi(2 * a + b, target)
    assert joint > 0.2 and ranker.scores_[0] == pytest.approx(ranker.scores_[0])
    given = CardinalityAwareRanker(ranking="3mr", k=3).fit(X, y, covey.associate(X, measure="mutual_information"))
    assert given.get_support(indices=True).tolist() == [0, 1, 2]


def test_workers_and_seeds():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 30, (500, 12)), rng.integers(0, 3, 500)
    for correction in CORRECTIONS:
        one, three = (
            CardinalityAwareRanker(correction, k="all", pairwise=True, discrete_features=True, engine=e).fit(x, y)
            for e in ("local:1", "local:3")
        )
        np.testing.assert_array_equal(one.scores_, three.scores_)
        np.testing.assert_array_equal(one.redundancy_, three.redundancy_)
    seeds = [CardinalityAwareRanker("permutation", k="all", random_state=s).fit(x, y).scores_ for s in (0, 0, 1)]
    assert np.array_equal(seeds[0], seeds[1]) and not np.array_equal(seeds[0], seeds[2])


def chunks(frame, rows=700):
    return [frame.iloc[start : start + rows] for start in range(0, len(frame), rows)]


def test_merged_chunks_give_the_score_of_all_rows(frame):
    X = frame[["a", "c", "noise", "digit", "flat"]]
    whole = CardinalityAwareRanker(k="all").fit(X, frame["y"])
    parts = CardinalityAwareRanker(k=2)
    for chunk in chunks(frame):
        parts.partial_fit(chunk[X.columns], chunk["y"])
    np.testing.assert_allclose(parts.scores_, whole.scores_, atol=1e-12)
    assert parts.get_support(indices=True).tolist() == np.flatnonzero(whole.ranking_ <= 2).tolist()
    assert [q.cardinality for q in parts.quality_[:4]] == [q.cardinality for q in whole.quality_]
    assert parts.reasons_[4] and not parts.reasons_[0]
    again = (
        CardinalityAwareRanker(k=2).fit(X, frame["y"]).partial_fit(chunks(frame)[0][X.columns], chunks(frame)[0]["y"])
    )
    assert not np.allclose(again.scores_[:4], whole.scores_[:4])  # a fit is not added to


def test_a_first_chunk_that_tells_little(frame):
    X = frame[["a", "c", "digit"]]
    parts = CardinalityAwareRanker(k=2).partial_fit(X[:50].assign(c="c1"), np.repeat("no", 50))
    assert not parts.get_support().any() and all(parts.reasons_)
    parts.partial_fit(X[50:], frame["y"][50:])
    assert parts.get_support().sum() == 2 and not any(parts.reasons_)
    with pytest.raises(ValueError, match="y has a single value in the first chunk"):
        CardinalityAwareRanker(target_kind="numeric").partial_fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="k=9 is larger"):
        CardinalityAwareRanker(k=9).partial_fit(X, frame["y"])
    with pytest.raises(ValueError, match="feature names"):
        parts.partial_fit(X[["c", "a", "digit"]], frame["y"])


@pytest.mark.parametrize("correction", ["shift", "permutation", "none"])
def test_means_and_medians_of_chunks(frame, correction):
    X = frame[["a", "c", "noise"]]
    for batches, average in (("mean", np.mean), ("median", np.median)):
        parts, scores = CardinalityAwareRanker(correction, k="all", batches=batches), []
        for chunk in chunks(frame, 1500):
            parts.partial_fit(chunk[X.columns], chunk["y"])
            scores.append(CardinalityAwareRanker(correction, k="all").fit(chunk[X.columns], chunk["y"]).scores_)
        np.testing.assert_allclose(parts.scores_, average(scores, axis=0), atol=1e-12)


def test_numbers_that_vary_late_and_columns_of_too_many_values(frame, monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4000)
    x = np.column_stack([np.where(np.arange(4000) < 1000, 3.0, y + rng.normal(size=4000)), rng.normal(size=4000)])
    x[:500, 1] = np.nan
    parts = CardinalityAwareRanker(k="all", n_bins=8)
    for start in range(0, 4000, 500):
        parts.partial_fit(x[start : start + 500], y[start : start + 500])
    whole = CardinalityAwareRanker(k="all", n_bins=8).fit(x, y)
    assert parts.scores_ == pytest.approx(whole.scores_, abs=0.02) and parts.scores_[0] > 0.05
    monkeypatch.setattr(_table_stream, "MAX_CELLS", 1000)
    many = CardinalityAwareRanker(k="all")
    for chunk in chunks(frame):
        many.partial_fit(chunk[["a", "noise"]], chunk["y"])
    exact = CardinalityAwareRanker(k="all").fit(frame[["a", "noise"]], frame["y"])
    assert many.scores_[0] == pytest.approx(exact.scores_[0]) and abs(many.scores_[1]) < 0.03
    assert many.quality_[1].cardinality == pytest.approx(exact.quality_[1].cardinality, rel=0.15)


def test_chunks_that_see_no_label_or_only_zeros_and_ones():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    y[:50] = 0
    X = pd.DataFrame({"gaps": np.where(y == 1, "yes", "no"), "same": np.where(y == 1, "a", "b"), "few": y, "many": y})
    X["few"] = rng.poisson(0.4 + y)
    X["many"] = rng.poisson(4, 300)
    X.loc[:49, "gaps"] = None
    X.loc[:49, "few"] = np.arange(50) % 2  # read as two labels
    X.loc[100:199, "many"] = np.arange(100) % 2
    for discrete in (True, False):
        parts = CardinalityAwareRanker(k="all", n_bins=2, discrete_features=discrete)
        for start in range(0, 300, 50):
            parts.partial_fit(X[start : start + 50], y[start : start + 50])
        whole = CardinalityAwareRanker(k="all", discrete_features=discrete).fit(X, y)
        exact = 4 if discrete else 2  # the others depend on bins
        np.testing.assert_allclose(parts.scores_[:exact], whole.scores_[:exact], atol=1e-12)
        assert not any(parts.reasons_)
    with pytest.raises(ValueError, match="column 'few' holds words now and held numbers before"):
        parts.partial_fit(X.assign(few=rng.choice(["a", "b", "c"], 300)), y)


def test_chunks_say_why_a_column_has_no_score_and_tell_large_classes_apart():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = np.column_stack([y + rng.normal(size=200), np.full(200, np.nan), np.full(200, 4.0)])
    parts, whole = CardinalityAwareRanker(k="all").partial_fit(x, y), CardinalityAwareRanker(k="all").fit(x, y)
    assert parts.reasons_ == whole.reasons_
    years = CardinalityAwareRanker(k="all").partial_fit(x, y + 1_234_567.0)
    assert years.scores_[0] == whole.scores_[0]
    drawn = [
        CardinalityAwareRanker("permutation", k="all", batches="mean", random_state=np.random.default_rng(3)),
        CardinalityAwareRanker("permutation", k="all", batches="mean", random_state=3),
    ]
    assert drawn[0].partial_fit(x, y).scores_[0] == drawn[1].fit(x, y).scores_[0]


def test_values_are_counted_also_where_pairs_are_not(monkeypatch):
    monkeypatch.setattr(_table_stream, "MAX_CELLS", 100)
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 200)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 300, 900)
    X = pd.DataFrame({"code": codes.astype(float), "word": [f"v{v}" for v in codes], "y": rng.integers(0, 2, 900)})
    parts = CardinalityAwareRanker(k="all", discrete_features=True)
    for start in range(0, 900, 300):
        parts.partial_fit(X[["code", "word"]][start : start + 300], X["y"][start : start + 300])
        distinct = len(np.unique(codes[: start + 300]))
        assert [q.cardinality for q in parts.quality_] == [distinct, distinct]
    for workers in (1, 3):
        blocks = CardinalityAwareRanker(k="all", discrete_features=True, engine=LocalEngine(workers))
        found = blocks.fit(iter_blocks(X, rows=100), "y").quality_
        assert [q.cardinality for q in found] == [distinct, distinct]


@pytest.fixture(scope="module")
def file(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("cardinality") / "table.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=900)
    return path


@pytest.mark.parametrize("target", ["y", "digit"])
def test_blocks_give_the_scores_of_memory(frame, file, target, monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 2000)
    X = frame.drop(columns=target)
    for options in ({}, {"correction": "none"}, {"n_bins": 5}):
        memory = CardinalityAwareRanker(k="all", **options).fit(X, frame[target].to_numpy())
        blocks, other = (
            CardinalityAwareRanker(k="all", engine=LocalEngine(k), **options).fit(iter_blocks(file, rows=800), target)
            for k in (1, 3)
        )
        at = [name != "amount" for name in X.columns]
        np.testing.assert_allclose(blocks.scores_[at], memory.scores_[at], atol=1e-12)
        np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=2e-3)  # bins from a sketch
        np.testing.assert_array_equal(blocks.scores_, other.scores_)
        assert blocks.quality_ == memory.quality_ or [q.name for q in blocks.quality_] == [
            q.name for q in memory.quality_
        ]
        assert blocks.reasons_ == memory.reasons_
    batches = CardinalityAwareRanker("shift", k=2, batches="mean").fit(iter_blocks(file, rows=800), target)
    assert abs(batches.scores_[4]) < 0.05


def test_codes_stream_as_they_are():
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 3000, (5000, 3)).astype(float)
    x[:, 0] = np.where(rng.random(5000) < 0.1, np.nan, x[:, 0] % 7)
    y = (np.nan_to_num(x[:, 0]) > 3).astype(float)
    memory = CardinalityAwareRanker(k="all", discrete_features=True).fit(x, y)
    blocks = iter_blocks(np.column_stack([x, y]), rows=600)
    streamed = CardinalityAwareRanker(k="all", discrete_features=True).fit(blocks, "x3")
    np.testing.assert_allclose(streamed.scores_, memory.scores_, atol=1e-12)
    with pytest.raises(ValueError, match=r"column 'x0' holds numbers that are no codes.*discrete_features=False"):
        CardinalityAwareRanker(discrete_features=True).fit(iter_blocks(np.column_stack([x / 7, y])), "x3")


def test_memory_stays_that_of_a_few_blocks(tmp_path):
    rng = np.random.default_rng(0)
    n = 400_000
    codes = {f"f{j}": rng.integers(0, 40, n) for j in range(6)}
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table(codes | {"y": (codes["f0"] > 20).astype(float)}), path, row_group_size=20_000)
    options = {"k": 1, "engine": LocalEngine(1)}
    CardinalityAwareRanker(**options).fit(iter_blocks({"a": [1.0, 2.0] * 4, "y": [1.0, 0.0] * 4}), "y")  # compiles
    tracemalloc.start()
    ranker = CardinalityAwareRanker(**options).fit(iter_blocks(path, rows=10_000), "y")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ranker.get_feature_names_out().tolist() == ["f0"]
    assert peak < 0.5 * 8 * n * 7


def test_bad_input(frame):
    x, y = np.arange(6) % 3, np.arange(6) % 2
    with pytest.raises(ValueError, match="correction must be one of analytic, permutation, shift, none"):
        cardinality_corrected_mi(x, y, "shifted")
    with pytest.raises(ValueError, match="fraction must be in"):
        cardinality_corrected_mi(x, y, fraction=0.0)
    with pytest.raises(ValueError, match="n_permutations must be a whole number from 1"):
        cardinality_corrected_mi(x, y, n_permutations=0)
    with pytest.raises(ValueError, match="n_permutations must be a whole number from 1"):
        cardinality_corrected_mi(x, y, "permutation", n_permutations=2.5)
    with pytest.raises(ValueError, match="x has 6 rows and y has 5"):
        cardinality_corrected_mi(x, y[:5])
    with pytest.raises(ValueError, match=r"y must be a column of integer codes, not float64.*encode it"):
        cardinality_corrected_mi(x, y / 2)
    X, target = frame[["a", "c"]], frame["y"]
    for parameter, value, message in (
        ("ranking", "mrmr", "ranking must be"),
        ("batches", "sum", "batches must be"),
        ("n_bins", 1, "n_bins must be"),
        ("n_bins", 2.5, "n_bins must be"),
        ("alpha", np.nan, "alpha must be a finite number"),
        ("beta", np.inf, "beta must be a finite number"),
        ("correction", "chance", "correction must be"),
        ("k", 3, "k=3 is larger"),
    ):
        with pytest.raises(ValueError, match=message):
            CardinalityAwareRanker(**{parameter: value}).fit(X, target)
    with pytest.raises(ValueError, match="aggregate must be"):
        CardinalityAwareRanker(ranking="3mr", aggregate="max").fit(X, target)
    with pytest.raises(AttributeError) as unfit:
        CardinalityAwareRanker("shift").partial_fit(X, target)
    assert "use batches='mean'" in str(unfit.value.__cause__)
    with pytest.raises(ValueError, match=r"fraction=0.5.*batches='mean'"):
        CardinalityAwareRanker(fraction=0.5).fit(iter_blocks(frame), "y")
    with pytest.raises(ValueError, match="'3mr' and pairwise=True compare columns"):
        CardinalityAwareRanker(ranking="3mr").fit(iter_blocks(frame), "y")
    with pytest.raises(ValueError, match="X has 6000 rows and y has 10"):
        CardinalityAwareRanker().partial_fit(X, target[:10])
    with pytest.raises(ValueError, match="blocks are all that there is"):
        CardinalityAwareRanker().partial_fit(iter_blocks(frame), "y")
    ranker = CardinalityAwareRanker().partial_fit(X, target)
    with pytest.raises(ValueError, match="column 'c' holds numbers now and held words before"):
        ranker.partial_fit(X.assign(c=np.arange(6000.0)), target)
    with pytest.raises(ValueError, match="a single class"):
        CardinalityAwareRanker().fit(X, np.zeros(6000))
    wide = CardinalityAwareRanker(k=1).fit(np.random.default_rng(0).normal(size=(5, 40)) + 1e9, [0, 1, 0, 1, 0])
    assert np.isfinite(wide.scores_).all()
    infinite = read(pd.DataFrame({"a": [1.0, np.inf, 2.0, 1.0], "b": [1.0, 2.0, 1.0, 2.0]}))
    assert np.isfinite(CardinalityAwareRanker(k=1).fit(infinite, [0, 1, 1, 0]).scores_).all()


def test_adjusted_information_ranks_alike():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 800)
    columns = [np.where(rng.random(800) < share, rng.integers(0, m, 800), y) for share in (0.3, 0.7) for m in (2, 60)]
    ours = [cardinality_corrected_mi(x, y) for x in columns]
    theirs = [adjusted_mutual_info_score(x, y) for x in columns]
    assert np.sign(ours).tolist() == np.sign(theirs).tolist()
