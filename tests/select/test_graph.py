"""Graph selectors: dense algebra, planted truth, blocks, missing values, ties, given matrices, bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.utils.estimator_checks import parametrize_with_checks

import covey
from covey.engine import _reduce
from covey.measure import associate
from covey.select import (
    EigenvectorCentralitySelector,
    GraphSelector,
    InfiniteLatentSelector,
    InfiniteSelector,
    binned_information,
    fisher_score,
)
from covey.select.graph import ECFS, ILFS, InfFS, histogram_cut, published_damping, relevant_first, scaled
from covey.structure.operator import AssociationOperator
from covey.table import iter_blocks

ALL = [EigenvectorCentralitySelector, InfiniteSelector, InfiniteLatentSelector]


@parametrize_with_checks(
    [
        EigenvectorCentralitySelector(),
        InfiniteSelector(),
        InfiniteSelector(supervised=False, k="elbow", prefer="peripheral"),
        InfiniteLatentSelector(),
        GraphSelector("pearson"),
    ]
)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes of one row, ties
        check(estimator)


def planted(n=400, d=12, seed=0):
    """Three columns of 12 whose means differ between three classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    x = rng.normal(size=(n, d)) * rng.uniform(0.9, 1.1, d)
    x[:, [2, 5, 7]] += y[:, None] * [1.0, -1.5, 0.8]
    return x, y


def minmax(v):
    return (v - v.min()) / np.ptp(v)


def eigenvector_by_definition(x, y, alpha, symmetrise=False):
    f, m, s = minmax(fisher_score(x, y)), minmax(binned_information(x, y)), minmax(x.std(axis=0, ddof=1))
    matrix = alpha * np.outer(f, m) + (1 - alpha) * np.maximum.outer(s, s)
    values, vectors = np.linalg.eig((matrix + matrix.T) / 2 if symmetrise else matrix)
    return np.abs(vectors[:, np.argmax(values.real)].real)


def paths(matrix, factor=0.9, r=None):
    r = factor / np.abs(np.linalg.eigvals(matrix)).max() if r is None else r
    return np.linalg.inv(np.eye(len(matrix)) - r * matrix).sum(axis=1) - 1


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("symmetrise", [False, True])
def test_ecfs_is_the_eigenvector_of_its_matrix(alpha, symmetrise):
    x, y = planted(d=60)
    found = ECFS(alpha, symmetrise=symmetrise, k="all").fit(x, y)
    np.testing.assert_allclose(found.scores_, eigenvector_by_definition(x, y, alpha, symmetrise), atol=1e-8)


def test_ecfs_of_alpha_1_ranks_as_the_fisher_score_does():
    x, y = planted(d=60)
    by_fisher = np.argsort(-fisher_score(x, y), kind="stable")
    assert np.argsort(ECFS(alpha=1.0).fit(x, y).ranking_).tolist() == by_fisher.tolist()


def test_inf_fs_without_a_target_is_the_inverse_of_its_matrix():
    x, _ = planted(d=60)
    s = minmax(x.std(axis=0, ddof=1))
    matrix = 0.3 * np.maximum.outer(s, s) + 0.7 * (1 - np.abs(spearmanr(x).statistic))
    found = InfFS(alpha=0.3, k="all").fit(x)
    np.testing.assert_allclose(found.scores_, paths(matrix), rtol=1e-8)
    assert found.degree_agreement_ == pytest.approx(spearmanr(paths(matrix), matrix.sum(axis=1)).statistic)
    given_matrix = InfFS(alpha=0.3).fit(x, association=associate(x, measure="spearman", pvalues=False))
    np.testing.assert_allclose(given_matrix.scores_, found.scores_, rtol=1e-9)


def test_inf_fs_with_classes_is_the_inverse_of_its_matrix():
    x, y = planted(d=60)
    f, m, s = minmax(fisher_score(x, y)), minmax(binned_information(x, y)), minmax(x.std(axis=0, ddof=1))
    spread = np.maximum.outer(s, s)
    a, b, c = 0.5, 0.2, 0.3
    matrix = a * (m + f[:, None]) / 2 + b * (m + spread) / 2 + c * (spread + f[:, None]) / 2
    found = InfFS(mixing=(a, b, c), factor=0.8).fit(x, y)
    np.testing.assert_allclose(found.scores_, paths(matrix, 0.8), rtol=1e-8)
    assert found.n_features_ == found.get_support().sum() == histogram_cut(found.scores_)


def test_the_published_scaling_is_that_of_the_published_code():
    x, y = planted(d=60)
    matrix = np.maximum.outer(*[minmax(x.std(axis=0, ddof=1))] * 2) / 2 + (1 - np.abs(spearmanr(x).statistic)) / 2
    widest, shrinking = matrix.sum(axis=1).max(), 5e-6 * 60
    expected = paths(matrix / (widest + shrinking), r=(1 - shrinking) / widest)
    found = InfFS(scaling="published", supervised=False).fit(x, y)
    np.testing.assert_allclose(found.scores_, expected, rtol=1e-8)
    paper = InfFS().fit(x)
    agreement = spearmanr(expected, paper.scores_).statistic
    assert found.scaling_agreement_ == pytest.approx(agreement) == paper.scaling_agreement_
    assert np.isnan(published_damping(AssociationOperator.of([[0.5]])))
    with pytest.raises(ValueError, match="use scaling='paper'"):
        InfFS(scaling="published").fit([[1.0], [2.0]])


def test_ilfs_is_the_closed_form_of_a_matrix_of_rank_one():
    x, y = planted(d=300)
    found = ILFS().fit(x, y)
    p = found.p_relevant_
    np.testing.assert_allclose(found.scores_, paths(np.outer(p, p)), rtol=1e-8)
    assert (np.diff(found.log_likelihood_) > -1e-9 * abs(found.log_likelihood_[0])).all()
    assert found.n_iter_ == len(found.log_likelihood_) - 1 and (found.tokens_.sum(axis=0) == len(x)).all()
    assert found.degree_agreement_ == pytest.approx(1.0)


@pytest.mark.parametrize("selector", [ECFS(k=3, alpha=0.9), InfFS(k=3), ILFS(k=3)], ids=lambda s: type(s).__name__)
def test_planted_columns_are_found(selector):
    x, y = planted()
    assert selector.fit(x, y).get_support(indices=True).tolist() == [2, 5, 7]
    words = np.array(["low", "mid", "high"])[y]
    assert selector.fit(pd.DataFrame(x).add_prefix("x"), words).get_feature_names_out().tolist() == ["x2", "x5", "x7"]
    number = y + np.random.default_rng(0).uniform(-0.4, 0.4, len(y))
    assert selector.fit(x, number).get_support(indices=True).tolist() == [2, 5, 7]


def test_ilfs_calls_the_factor_of_the_higher_fisher_scores_relevant():
    assert relevant_first(np.array([0.9, 0.1]), np.array([1.0, 0.0]))
    assert not relevant_first(np.array([0.9, 0.1]), np.array([0.0, 1.0]))
    assert relevant_first(np.array([1.0, 1.0]), np.array([0.0, 1.0]))
    assert not relevant_first(np.zeros(2), np.array([0.0, np.inf]))
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    # most columns are noise around far means of their own, the others separate the classes badly but do
    x = rng.normal(size=(400, 30))
    x[:, :5] += 1.5 * y[:, None]
    found = ILFS().fit(x, y)
    assert found.p_relevant_[:5].min() > found.p_relevant_[5:].max()


def test_ilfs_warns_when_nothing_is_ranked():
    x = np.tile(np.random.default_rng(0).normal(size=(40, 1)), 4)
    with pytest.warns(UserWarning, match="differ by less than 1e-06"):
        found = ILFS(k="all").fit(x, np.tile([0, 1], 20))
    assert found.tied_.all()


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(8)), st.integers(0, 99), st.floats(0.01, 100))
def test_scores_follow_the_columns_and_ignore_a_common_scale(order, seed, scale):
    x, y = planted(60, 8, seed)
    for selector in (ECFS(k="all"), InfFS(k="all"), InfFS(k="all", supervised=False), ILFS(k="all", max_iter=50)):
        scores = selector.fit(x, y).scores_
        moved = selector.fit(scale * x[:, order] - 3, y).scores_
        np.testing.assert_allclose(moved, scores[list(order)], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ALL)
def test_peripheral_turns_the_ranking_round(kind):
    x, y = planted(n=397)
    central, peripheral = kind(k="all").fit(x, y), kind(k="all", prefer="peripheral").fit(x, y)
    np.testing.assert_array_equal(peripheral.scores_, -central.scores_)
    with pytest.raises(ValueError, match="prefer must be"):
        kind(prefer="middle").fit(x, y)


def test_ties_are_told_and_a_cut_through_them_warns():
    x, y = planted()
    x = np.column_stack([x, x[:, [2]], x[:, [0]]])
    for kind in ALL:
        with pytest.warns(UserWarning, match=r"2 columns share the score at which .* is cut \(see tied_\)"):
            best = kind(k="all").fit(x, y).ranking_[[2, 12]].min()
            found = kind(k=int(best)).fit(x, y)
        assert found.scores_[2] == found.scores_[12] and found.tied_[[2, 12]].all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ECFS(k=int(best) + 1).fit(x, y)


@pytest.mark.parametrize("kind", ALL)
def test_missing_values_count_for_the_rows_where_they_are_not(kind):
    x, y = planted(2000)
    gaps = x.copy()
    gaps[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    whole, part = kind(k=3).fit(x, y), kind(k=3).fit(gaps, y)
    assert part.get_support(indices=True).tolist() == [2, 5, 7]
    assert np.corrcoef(whole.scores_, part.scores_)[0, 1] > 0.95
    no_rows = gaps.copy()
    no_rows[y == 1, 4] = np.nan  # a class without a present row
    assert np.isfinite(kind(k=3).fit(no_rows, y).scores_).all()


def test_correlations_of_columns_with_gaps_are_those_of_the_measure():
    x, _ = planted(100)
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    matrix = associate(x, measure="spearman", pvalues=False)
    own, given_matrix = InfFS().fit(x), InfFS().fit(x, association=matrix)
    np.testing.assert_allclose(own.scores_, given_matrix.scores_, rtol=1e-8)


@pytest.mark.parametrize("kind", ALL)
def test_constant_empty_and_duplicated_columns_and_few_rows(kind):
    x, y = planted(12, 30)
    x = np.column_stack([x, np.ones(12), x[:, 0] + 1e9])
    frame = pd.DataFrame(x).add_prefix("x").assign(empty=np.nan)
    found = kind(k=5).fit(frame, y)
    assert np.isnan(found.scores_[[30, 32]]).all() and found.reasons_[30] == "the column is constant"
    assert found.scores_[31] == pytest.approx(found.scores_[0], abs=1e-4)
    with pytest.raises(ValueError, match=r"k=32 needs 32 columns with a score.*'x30'"):
        kind(k=32).fit(frame, y)
    nothing = kind(k="elbow").fit(np.ones((12, 2)), y)
    assert np.isnan(nothing.scores_).all() and not nothing.get_support().any()


def test_columns_that_all_say_the_same_have_no_path_between_them():
    x = np.random.default_rng(0).normal(size=(30, 1))
    y = np.repeat([0, 1], 15)
    for wide in (x, np.hstack([x, x]), np.hstack([x] * 40)):
        assert not InfFS(k="all").fit(wide).scores_.any()
        assert np.isnan(InfFS(k="all").fit(wide).degree_agreement_)
        for kind in (ECFS, InfFS):
            assert np.ptp(kind(k="all").fit(wide, y).scores_) == 0.0


@pytest.mark.parametrize("kind", ALL)
def test_bad_input_is_named(kind):
    x, y = planted(50)
    with pytest.raises(ValueError, match="y has a single class"):
        kind().fit(x, np.zeros(50, dtype=int))
    with pytest.warns(UserWarning, match="classes of one row in y: 'rare'"):
        kind(k=3).fit(x, np.where(np.arange(50) == 0, "rare", np.where(y > 0, "a", "b")))
    with pytest.raises(ValueError, match="needs numbers, but 'team' hold categories"):
        kind().fit(pd.DataFrame({"a": x[:, 0], "team": np.array(["u", "v", "w"])[y]}), y)
    frame = pd.DataFrame({"a": x[:, 0], "b": np.where(np.arange(50) == 3, 1e200, x[:, 1])})
    with pytest.raises(ValueError, match="'b' hold infinite values or values of 1e150 and more"):
        kind().fit(frame, y)
    with pytest.raises(ValueError, match="k=13 is larger than the number of columns, 12"):
        kind(k=13).fit(x, y)
    with pytest.raises(ValueError, match="k must be a whole number"):
        kind(k="half").fit(x, y)


def test_parameters_out_of_range_are_named():
    x, y = planted(50)
    for alpha in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"alpha must be in 0\.\.1"):
            ECFS(alpha).fit(x, y)
        with pytest.raises(ValueError, match=r"alpha must be in 0\.\.1"):
            InfFS(alpha).fit(x)
    for mixing in ((1, 1, 1), (1.0,), (2.0, -1.0, 0.0)):
        with pytest.raises(ValueError, match="mixing must be three weights"):
            InfFS(mixing=mixing).fit(x, y)
    with pytest.raises(ValueError, match="scaling must be"):
        InfFS(scaling="row").fit(x, y)
    with pytest.raises(ValueError, match="factor must be"):
        InfFS(factor=1.0).fit(x, y)
    with pytest.raises(ValueError, match="supervised must be"):
        InfFS(supervised="no").fit(x, y)
    for yes in (True, np.True_):
        with pytest.raises(ValueError, match="requires y to be passed"):
            InfFS(supervised=yes).fit(x)
    np.testing.assert_array_equal(InfFS(supervised=False).fit(x, y).scores_, InfFS().fit(x).scores_)
    with pytest.raises(ValueError, match="n_bins must be"):
        ECFS(n_bins=1).fit(x, y)
    with pytest.raises(ValueError, match="n_tokens must be"):
        ILFS(n_tokens=1).fit(x, y)
    with pytest.raises(ValueError, match="tolerance must be at least 0"):
        ILFS(tolerance=np.nan).fit(x, y)
    with pytest.raises(ValueError, match="mixing must be three weights"):
        InfFS(mixing=("a", 0.5, 0.5)).fit(x, y)
    with pytest.raises(ValueError, match="factor must be greater than 0"):
        GraphSelector("pearson", "visits", factor=2.0).fit(x)
    matrix = associate(x, measure="spearman", pvalues=False)
    with pytest.raises(ValueError, match="no place for association; use supervised=False"):
        InfFS().fit(x, y, association=matrix)
    with pytest.raises(ValueError, match="leave out association"):
        ILFS().fit(x, y, association=matrix)
    with pytest.raises(ValueError, match=r"'mutual_information' reach .* needs them in 0\.\.1"):
        InfFS().fit(x, association=associate(x, measure="mutual_information", pvalues=False))


def test_a_given_matrix_takes_the_place_of_the_spread():
    x, y = planted()
    matrix = associate(x, measure="spearman", pvalues=False)
    found = ECFS(0.4, k="all").fit(x, y, association=matrix)
    f, m = minmax(fisher_score(x, y)), minmax(binned_information(x, y))
    values, vectors = np.linalg.eig(0.4 * np.outer(f, m) + 0.6 * matrix.strength)
    np.testing.assert_allclose(found.scores_, np.abs(vectors[:, np.argmax(values.real)].real), atol=1e-9)


@pytest.mark.parametrize("name", ["eigenvector", "degree", "paths", "visits"])
def test_columns_that_move_together_are_central(name):
    rng = np.random.default_rng(0)
    team = rng.integers(3, size=300)
    frame = pd.DataFrame({f"noise {j}": rng.normal(size=300) for j in range(4)})
    frame["a"], frame["b"] = team + 0.3 * rng.normal(size=300), -team + 0.3 * rng.normal(size=300)
    frame["team"] = np.array(["u", "v", "w"])[team]
    together = GraphSelector(centrality=name, k=3).fit(frame)
    assert set(together.get_feature_names_out()) == {"a", "b", "team"}
    apart = GraphSelector(centrality=name, k=4, prefer="peripheral").fit(frame)
    assert set(apart.get_feature_names_out()) == {f"noise {j}" for j in range(4)}
    given_matrix = GraphSelector("pearson", centrality=name, k=3).fit(
        frame, association=associate(frame, pvalues=False)
    )
    np.testing.assert_allclose(given_matrix.scores_, together.scores_, rtol=1e-9)
    with pytest.raises(ValueError, match="centrality must be"):
        GraphSelector("pearson", centrality="middle").fit(frame[["a", "b"]])


def test_the_histogram_counts_bins_that_are_fuller_than_average():
    scores = np.sort(np.random.default_rng(0).normal(size=101))[::-1]
    counts, _ = np.histogram(scores, 50)
    assert histogram_cut(scores) == (counts > counts.mean()).sum()
    assert histogram_cut(np.array([3.0])) == 1 and histogram_cut(np.full(9, 2.0)) == 1
    assert histogram_cut(np.empty(0)) == 0 and histogram_cut(np.append(np.ones(100), 1.0 + 2e-16)) == 1
    with pytest.raises(ValueError, match="threshold must be a number"):
        ECFS(k="histogram", threshold=np.nan).fit(*planted(d=60))
    with pytest.raises(ValueError, match="'elbow', 'histogram' or 'all', not 'knee'"):
        ECFS(k="knee").fit(*planted(d=60))
    x, y = planted(d=60)
    assert ECFS(k="histogram").fit(x, y).get_support().sum() == histogram_cut(ECFS().fit(x, y).scores_)


def test_infinite_scores_lead_the_finite_ones():
    assert scaled(np.array([1.0, np.inf, 3.0, 2.0])).tolist() == [0.0, 1.0, 0.5, 0.25]
    assert scaled(np.array([0.0, np.inf])).tolist() == scaled(np.array([5.0, np.inf])).tolist() == [0.0, 1.0]
    assert scaled(np.array([np.inf, np.inf])).tolist() == [0.0, 0.0] and scaled(np.array([7.0])).tolist() == [0.0]


@pytest.mark.parametrize("selector", [ECFS(alpha=1.0, k=1), ECFS(alpha=0.9, k=1), InfFS(k=1), ILFS(k=1)])
def test_a_column_that_separates_the_classes_is_first(selector):
    x = np.random.default_rng(0).normal(size=(200, 5))
    y = np.arange(200) % 2
    assert selector.fit(np.column_stack([x, y]), y).get_support(indices=True).tolist() == [5]


def test_a_class_without_values_is_left_out_of_the_distances():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 4)) + np.outer(y, np.arange(4) / 4)
    x[y == 2, 1] = np.nan
    amounts = np.where(rng.random(300) < 0.7, 0.0, 5.0 + x[:, 3])  # most are equal, so that classes of them are empty
    for target in (y, amounts):
        found, moved = (ILFS(k="all").fit(x + shift, target) for shift in (0.0, 1000.0))
        np.testing.assert_array_equal(found.tokens_, moved.tokens_)
        np.testing.assert_allclose(found.scores_, moved.scores_)


def test_the_rounding_of_standardised_columns_is_no_spread():
    x, y = planted(d=60)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    assert not scaled(z.std(axis=0)).any()
    found = ECFS(alpha=0.5, k="all").fit(z, y)
    assert np.argsort(found.ranking_).tolist() == np.argsort(-fisher_score(x, y)).tolist()


@pytest.fixture(scope="module")
def rows():
    x, y = planted(3000, 8)
    x[:, 1] = np.round(x[:, 1])
    frame = pd.DataFrame(x).add_prefix("x")
    frame.loc[::7, "x5"] = np.nan
    return frame.assign(flat=1.0, label=np.array(["low", "mid", "high"])[y], amount=y + 0.1 * x[:, 0])


SELECTORS = [ECFS(k="all"), InfFS(k="all"), InfFS(k="all", supervised=False), GraphSelector("spearman", k="all")]


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("target", ["label", "amount"])
def test_blocks_give_the_scores_of_memory(rows, selector, target):
    columns = [name for name in rows if name not in ("label", "amount")]
    memory = selector.fit(rows[columns], rows[target])
    scores, agreement = memory.scores_, memory.degree_agreement_
    blocks = selector.fit(iter_blocks(rows[[*columns, target]], rows=700), target)
    np.testing.assert_allclose(blocks.scores_, scores, rtol=1e-6, atol=1e-9)
    assert blocks.reasons_[8] == "the column is constant" and blocks.degree_agreement_ == pytest.approx(agreement)


def test_blocks_without_a_target(rows):
    part = rows[["x0", "x1", "x2", "x3", "x4"]]
    memory = InfFS(k=2).fit(part).scores_
    np.testing.assert_allclose(InfFS(k=2).fit(iter_blocks(part, rows=700)).scores_, memory, rtol=1e-6)


def test_workers_do_not_change_a_bit(rows, monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 700)
    source = iter_blocks(rows.drop(columns="amount"), rows=500)
    for kind in (ECFS, InfFS):
        one, three = (kind(k="all", engine=e).fit(source, "label").scores_ for e in ("local:1", "local:3"))
        np.testing.assert_array_equal(one, three)


@pytest.fixture(scope="module")
def madelon():
    table = covey.read("covey:madelon")
    true = 28, 48, 64, 105, 128, 153, 241, 281, 318, 336, 338, 378, 433, 442, 451, 453, 455, 472, 475, 493
    return table.drop("class"), table["class"], {f"x{j}" for j in true}


def test_madelon(madelon):
    x, y, true = madelon

    def hits(selector):
        return len(true & set(selector.set_params(k=20).fit(x, y).get_feature_names_out()))

    assert hits(ECFS(0.9)) >= 17 and hits(InfFS()) >= 17 and hits(ILFS()) >= 11
    assert hits(ILFS(prefer="peripheral")) == 0
