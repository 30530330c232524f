"""Linear CCA and PLS of several views: exact and stochastic agree, streams are arrays, bad views are named."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cross_decomposition import CCA as SklearnCCA
from sklearn.cross_decomposition import PLSSVD
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.learn.multiview import ColumnMoments, MultiviewCCA, MultiviewPLS, StochasticCCA, StochasticPLS
from covey.measure.cca import RankWarning
from covey.table import iter_blocks, read


@parametrize_with_checks([MultiviewCCA(), MultiviewPLS(), StochasticCCA(), StochasticPLS()])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankWarning)
        check(estimator)


def shared(n_rows=2000, sizes=(12, 8), k=2, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_rows, k))
    return [common @ rng.normal(size=(k, d)) + noise * rng.normal(size=(n_rows, d)) for d in sizes]


def test_exact_agrees_with_scikit_learn():
    X, Y = shared()
    theirs = SklearnCCA(2, max_iter=10_000, tol=1e-12).fit(X, Y).transform(X, Y)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(theirs[0].T, theirs[1].T)]
    assert MultiviewCCA(2).fit(X, Y).correlations_ == pytest.approx(expected, abs=1e-6)
    scores = MultiviewPLS(2).fit(X, Y).transform(X)
    reference = PLSSVD(2).fit(X, Y).transform(X)
    assert np.abs([np.corrcoef(a, b)[0, 1] for a, b in zip(scores.T, reference.T)]) == pytest.approx(1.0)


@pytest.mark.parametrize("sizes", [(12, 8), (12, 8, 10)])
def test_stochastic_captures_what_the_exact_solution_does(sizes):
    views = shared(4000, sizes)
    exact = MultiviewCCA(2).fit(views).correlations_.sum()
    found = StochasticCCA(2, random_state=0).fit(views)
    assert 0.98 * exact < found.correlations_.sum() <= exact + 1e-9
    assert found.canonical_correlations(views) == pytest.approx(found.correlations_)
    assert found.score(views) == pytest.approx(found.correlations_.mean())


def test_stochastic_pls_reaches_the_exact_covariance():
    views = shared(4000)
    exact, found = MultiviewPLS(2).fit(views), StochasticPLS(2, random_state=0).fit(views)
    covariance = [[abs(np.cov(a, b)[0, 1]) for a, b in zip(*(s.T for s in m.transform(views)))] for m in (exact, found)]
    assert sum(covariance[1]) == pytest.approx(sum(covariance[0]), rel=0.02)
    scaled = found.weights_[0] * views[0].std(axis=0, ddof=1)[:, None]
    assert scaled.T @ scaled == pytest.approx(np.eye(2), abs=1e-6)


def test_shapes_of_scores():
    X, Y = shared(50)
    model = MultiviewCCA(2).fit(X, Y)
    assert model.transform(X).shape == (50, 2)
    assert isinstance(model.transform(X, Y), tuple)
    assert [s.shape for s in model.transform([X, Y])] == [(50, 2), (50, 2)]
    assert model.transform(X).mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert list(model.get_feature_names_out()) == ["multiviewcca0", "multiviewcca1"]
    assert model.fit_transform([X, Y])[1] == pytest.approx(model.transform([X, Y])[1])


def test_streams_are_read_in_blocks_of_any_size(tmp_path):
    X, Y = shared(3000)
    np.save(tmp_path / "x.npy", X)
    sources = [iter_blocks(tmp_path / "x.npy", rows=700), iter_blocks(Y, rows=450)]
    exact = MultiviewCCA(2).fit([X, Y])
    streamed = MultiviewCCA(2).fit(sources)
    assert streamed.correlations_ == pytest.approx(exact.correlations_, abs=1e-10)
    assert streamed.transform(sources)[1] == pytest.approx(exact.transform([X, Y])[1], abs=1e-8)
    stochastic = StochasticCCA(2, random_state=0).fit(sources)
    assert stochastic.correlations_.sum() > 0.98 * exact.correlations_.sum()


def test_views_of_one_file_are_columns_of_it(tmp_path):
    X, Y = shared(500)
    np.save(tmp_path / "all.npy", np.hstack([X, Y]))
    views = [iter_blocks(tmp_path / "all.npy", columns=[f"x{k}" for k in part]) for part in (range(12), range(12, 20))]
    assert MultiviewCCA().fit(views).correlations_ == pytest.approx(MultiviewCCA().fit(X, Y).correlations_)
    assert MultiviewCCA().fit([read(X), read(Y)]).score([read(X), read(Y)]) > 0.5


def test_sparse_views_give_what_dense_ones_give():
    views = [np.where(np.abs(view) > 2, view, 0.0) for view in shared(1000)]
    dense = StochasticCCA(2, random_state=0).fit(views)
    found = StochasticCCA(2, random_state=0).fit([sparse.csr_array(view) for view in views])
    assert found.correlations_ == pytest.approx(dense.correlations_, abs=1e-6)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        MultiviewCCA().fit([sparse.csr_array(view) for view in views])


def test_partial_fit_learns_from_chunks_and_goes_on_after_a_pickle():
    X, Y = shared(4000)
    model = StochasticCCA(2, random_state=0)
    for start in [*range(0, 4000, 500)] * 5:
        model = pickle.loads(pickle.dumps(model.partial_fit(X[start : start + 500], Y[start : start + 500])))
    assert model.canonical_correlations(X, Y).sum() > 0.97 * MultiviewCCA(2).fit(X, Y).correlations_.sum()
    assert model.means_[0] == pytest.approx(X.mean(axis=0))
    before = model.n_steps_
    assert model.partial_fit(X[:500], Y[:500]).n_steps_ == before + 500 // 128


def test_the_same_seed_gives_the_same_bits_and_a_clone_is_unfitted():
    views = shared(500)
    a, b = (StochasticCCA(2, random_state=3).fit(views) for _ in range(2))
    assert np.array_equal(a.weights_[1], b.weights_[1])
    assert not hasattr(clone(a), "weights_")
    assert not np.array_equal(a.weights_[1], StochasticCCA(2, random_state=4).fit(views).weights_[1])


def test_units_and_large_means_do_not_matter():
    views = shared(2000)
    moved = [view * 10.0 ** np.linspace(-3, 3, view.shape[1]) + 1e3 for view in views]
    assert StochasticCCA(2, random_state=0).fit(moved).correlations_ == pytest.approx(
        StochasticCCA(2, random_state=0).fit(views).correlations_, abs=1e-4
    )
    far = [view + 1e9 for view in views]
    exact = MultiviewCCA(2).fit(views).correlations_
    assert MultiviewCCA(2).fit(far).correlations_ == pytest.approx(exact, abs=1e-6)
    assert StochasticCCA(2, random_state=0).fit(far).correlations_.sum() > 0.98 * exact.sum()


@pytest.mark.parametrize("estimator", [MultiviewCCA(2), StochasticCCA(2, random_state=0)])
def test_constant_columns_and_few_rows_are_told(estimator):
    X, Y = shared(1000)
    constant = np.column_stack([X, np.full(len(X), 3.0)])
    with pytest.warns(RankWarning, match="view 0: 13 columns of 1000 rows have rank 12"):
        model = estimator.fit(constant, Y)
    assert not model.weights_[0][12].any()
    rng = np.random.default_rng(0)
    with pytest.warns(RankWarning, match="15 rows are too few for views of rank 10 and 12"):
        estimator.fit(rng.normal(size=(15, 12)), rng.normal(size=(15, 10)))


def test_a_shared_column_is_told():
    X, Y = shared(1000)
    with pytest.warns(RankWarning, match="1 canonical correlations are 1"):
        MultiviewCCA().fit(X, np.column_stack([Y, X[:, 0]]))


@pytest.mark.parametrize("estimator", [MultiviewCCA(), StochasticCCA()])
def test_bad_views_are_named(estimator, tmp_path):
    X, Y = shared(100)
    with pytest.raises(ValueError, match="same rows; they have 100, 99"):
        estimator.fit(X, Y[1:])
    with pytest.raises(ValueError, match="at least two views are needed, got 1"):
        estimator.fit([X])
    with pytest.raises(ValueError, match="a second view is needed"):
        estimator.fit(X)
    holed = Y.copy()
    holed[5, 3] = np.nan
    with pytest.raises(ValueError, match="view 1 contains NaN in column 3"):
        estimator.fit(X, holed)
    with pytest.raises(ValueError, match="view 1 contains NaN in column 'x3'"):
        estimator.fit([iter_blocks(X), iter_blocks(holed)])
    with pytest.raises(ValueError, match="view 1 is constant"):
        estimator.fit(X, np.ones((100, 2)))
    (tmp_path / "words.csv").write_text("a,b\n" + "1.5,red\n2.5,blue\n" * 50)
    with pytest.raises(ValueError, match=r"view 1: column 'b' is .*not numeric"):
        estimator.fit([iter_blocks(X), iter_blocks(tmp_path / "words.csv")])
    (tmp_path / "short.csv").write_text("a\n" + "\n".join(map(str, np.arange(90) * 1.5)) + "\n")
    with pytest.raises(ValueError, match="view 1 ends before the others"):
        estimator.fit([iter_blocks(X), iter_blocks(tmp_path / "short.csv")])
    with pytest.raises(ValueError, match=r"12, 7 columns, but .* was fitted on 12, 8"):
        estimator.fit(X, Y).transform(X, Y[:, :7])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 9}, r"n_components=9 must lie in 1\.\.8"),
        ({"shrinkage": -0.1}, "shrinkage must lie in 0"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"learning_rate": 1e6, "max_iter": 50}, "diverged; lower learning_rate"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        StochasticCCA(**parameters).fit(shared(1000))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_moments_of_columns_are_those_of_all_rows(kind):
    rng = np.random.default_rng(0)
    x = np.where(rng.random((90, 4)) < 0.5, rng.normal(size=(90, 4)), 0.0)
    x[:, 3] = 2.5
    moments = ColumnMoments(4)
    for start in range(0, 90, 40):
        moments.update(kind(x[start : start + 40]))
    assert moments.n == 90
    assert moments.mean == pytest.approx(x.mean(axis=0))
    assert moments.deviation() == pytest.approx(x.std(axis=0, ddof=1), abs=1e-12)
    assert moments.deviation()[3] == 0.0


def test_float32_views_are_taken_as_they_are_and_learn_the_same() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(3000, 2))
    views = [common @ rng.normal(size=(2, d)) + rng.normal(size=(3000, d)) for d in (20, 15)]
    double = StochasticCCA(2, random_state=0).fit(views)
    single = StochasticCCA(2, random_state=0).fit([view.astype(np.float32) for view in views])
    np.testing.assert_allclose(single.correlations_, double.correlations_, atol=1e-4)
    assert single.transform([view.astype(np.float32) for view in views])[0].dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_far_from_zero_learn_the_same(dtype) -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(3000, 1))
    views = [common + rng.normal(size=(3000, d)) for d in (12, 9)]
    near = StochasticCCA(random_state=0).fit(views)
    far = StochasticCCA(random_state=0).fit([(view + 1e3).astype(dtype) for view in views])
    np.testing.assert_allclose(far.correlations_, near.correlations_, atol=1e-3)
