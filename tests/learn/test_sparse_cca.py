"""Sparse CCA: planted supports, optimality by an independent solver, deflation, kernels, and bad input."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.learn.sparse_cca import (
    PrimalDualSparseCCA,
    SparseCCA,
    mate_retrieval,
    primal_dual_pair,
    sparse_canonical_pair,
)
from covey.table import iter_blocks


@parametrize_with_checks([SparseCCA(alpha=0.3), PrimalDualSparseCCA()])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


def planted(n_rows=300, d=60, n_factors=2, each=5, seed=0):
    """Two views; factor k is in columns 5k to 5k + 4 of the first and in as many from the end of the second."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, n_factors)) * [1.5, 1.0][:n_factors]
    X, Y = rng.normal(size=(n_rows, d)), rng.normal(size=(n_rows, d))
    for k in range(n_factors):
        X[:, each * k : each * (k + 1)] += factors[:, [k]]
        Y[:, d - each * (k + 1) : d - each * k] -= factors[:, [k]]
    return X, Y


def test_planted_columns_are_found_factor_by_factor():
    X, Y = planted()
    model = SparseCCA(2, random_state=0).fit(X, Y)
    left, right = (np.abs(w) > 1e-8 for w in model.weights_)
    assert left[:5, 0].all() and left[5:10, 1].all()
    assert right[-5:, 0].all() and right[-10:-5, 1].all()
    assert left.sum() + right.sum() <= 24
    fresh = planted(seed=1)
    assert model.canonical_correlations(*fresh).min() > 0.75
    assert model.kkt_residual_.max() <= model.tol
    assert model.correlations_ == pytest.approx(model.canonical_correlations(X, Y))


def test_both_regressions_are_lasso_solutions_at_the_end():
    X, Y = (view - view.mean(axis=0) for view in planted())
    pair = sparse_canonical_pair(X, Y, alpha=0.3, tol=1e-8, max_iter=1000)
    assert pair.residual <= 1e-8
    for view, weights, target in ((X, pair.left, Y @ pair.right), (Y, pair.right, X @ pair.left)):
        penalty = 0.3 * np.abs(view.T @ target).max() / len(view)
        expected = Lasso(penalty, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(view, target).coef_
        assert weights / np.linalg.norm(weights) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
        assert (view @ weights).std(ddof=1) == pytest.approx(1.0)


def test_later_components_are_uncorrelated_with_earlier_ones():
    X, Y = planted()
    model = SparseCCA(3, alpha=0.3).fit(X, Y)
    for scores in model.transform(X, Y):
        assert np.corrcoef(scores, rowvar=False) == pytest.approx(np.eye(3), abs=1e-8)


def test_fewer_columns_under_a_larger_penalty_and_streams_are_arrays():
    X, Y = planted()
    sizes = [np.count_nonzero(SparseCCA(alpha=a).fit(X, Y).weights_[0]) for a in (0.05, 0.3, 0.95)]
    assert sizes[0] > sizes[1] > sizes[2]
    streamed = SparseCCA(alpha=0.3).fit([iter_blocks(X, rows=100), iter_blocks(Y, rows=70)])
    assert streamed.weights_[1] == pytest.approx(SparseCCA(alpha=0.3).fit(X, Y).weights_[1])


def test_units_do_not_matter_when_scaled():
    X, Y = planted()
    moved = X * 10.0 ** np.linspace(-3, 3, X.shape[1]) + 1e6
    found = SparseCCA(alpha=0.3).fit(moved, Y).correlations_
    assert found == pytest.approx(SparseCCA(alpha=0.3).fit(X, Y).correlations_, abs=1e-5)


def objective(A, K, seed, mu, gamma, w, e):
    return ((A @ w - K @ e) ** 2).sum() + mu * np.abs(w).sum() + gamma * (e.sum() - e[seed])


def test_primal_dual_is_the_minimum_of_its_objective():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(25, 6))
    B = A[:, :3] + rng.normal(size=(25, 3))
    A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    K, mu, gamma = B @ B.T, 20.0, 30.0
    pair = primal_dual_pair(A, K, 4, mu, gamma, tol=1e-9)
    assert pair.right[4] == 1.0
    assert ((pair.right >= 0) & (pair.right <= 1)).all()
    assert 0 < np.count_nonzero(pair.right) < 25
    best = objective(A, K, 4, mu, gamma, pair.left, pair.right)

    def split(z):  # w as the difference of two non-negative parts, so that the problem is smooth with bounds
        return z[:6] - z[6:12], np.insert(z[12:], 4, 1.0)

    def smooth(z):
        w, e = split(z)
        return ((A @ w - K @ e) ** 2).sum() + mu * z[:12].sum() + gamma * (e.sum() - 1.0)

    bounds = [(0, None)] * 12 + [(0, 1)] * 24
    other = minimize(smooth, np.full(36, 0.1), bounds=bounds, options={"maxiter": 5000, "maxfun": 10**6, "ftol": 1e-14})
    assert best == pytest.approx(other.fun, rel=1e-4)
    assert best <= other.fun * (1 + 1e-9)


def topics(n_rows=150, seed=0):
    """Two languages about the same four topics: logarithms of word counts."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(4, 0.2), n_rows)
    words = [rng.dirichlet(np.full(d, 0.05), 4) for d in (60, 50)]
    return [np.log1p(rng.poisson(40 * share @ w)).astype(float) for w in words]


def test_a_linear_kernel_is_the_precomputed_one():
    X, Y = topics()
    train, test = slice(0, 100), slice(100, 150)
    linear = PrimalDualSparseCCA(3, random_state=0).fit(X[train], Y[train])
    given = PrimalDualSparseCCA(3, kernel="precomputed", random_state=0).fit(X[train], Y[train] @ Y[train].T)
    assert given.seeds_.tolist() == linear.seeds_.tolist()
    assert given.dual_ == pytest.approx(linear.dual_, abs=1e-6)
    scores = linear.transform(X[test], Y[test])[1]
    assert given.transform(X[test], Y[test] @ Y[train].T)[1] == pytest.approx(scores, abs=1e-4 * np.abs(scores).max())


def test_mates_are_found_by_few_words_and_few_documents():
    X, Y = topics()
    model = PrimalDualSparseCCA(4, n_seeds=20, random_state=0).fit(X[:100], Y[:100])
    found, _ = mate_retrieval(*model.transform(X[100:], Y[100:]))
    shuffled = Y[100:][np.random.default_rng(0).permutation(50)]
    assert found > 2 * mate_retrieval(*model.transform(X[100:], shuffled))[0]
    assert model.kkt_residual_.max() < 1e-4
    assert np.count_nonzero(model.dual_) < 0.2 * model.dual_.size
    assert (model.dual_[model.seeds_, np.arange(4)] == 1.0).all()


def test_mate_retrieval_counts_places_within_the_window():
    similar = np.eye(3)
    assert mate_retrieval(similar, similar) == (1.0, 1.0)
    assert mate_retrieval(similar, similar[[1, 0, 2]], window=1) == pytest.approx((1 / 3, 1 / 3))
    # nothing but ties: the mate of each row is placed last
    assert mate_retrieval(np.ones((4, 2)), np.ones((4, 2))) == pytest.approx((0.25, 1.0))
    assert mate_retrieval(np.ones((4, 2)), np.ones((4, 2)), window=3) == (0.0, 0.0)
    with pytest.raises(ValueError, match="one shape"):
        mate_retrieval(np.ones((4, 2)), np.ones((3, 2)))


def test_the_same_seed_gives_the_same_bits():
    X, Y = topics()
    a, b = (PrimalDualSparseCCA(2, random_state=1).fit(X, Y).weights_[0] for _ in range(2))
    assert np.array_equal(a, b)


def test_a_constant_column_gets_no_weight():
    X, Y = planted()
    wide = np.column_stack([X, np.full(len(X), 7.0)])
    assert SparseCCA(alpha=0.01).fit(wide, Y).weights_[0][60, 0] == 0.0


def test_what_is_not_reached_is_told():
    with pytest.warns(UserWarning, match="component 0 has no column left; lower mu"):
        empty = PrimalDualSparseCCA(mu=1e9, random_state=0).fit(*topics())
    assert np.isnan(empty.correlations_).all()
    with pytest.warns(ConvergenceWarning, match="after max_iter=1 steps"):
        SparseCCA(alpha=0.3, max_iter=1).fit(*planted())


@pytest.mark.parametrize("estimator", [SparseCCA(alpha=0.3), PrimalDualSparseCCA()])
def test_bad_views_are_named(estimator):
    X, Y = planted(50)
    with pytest.raises(ValueError, match="same rows; they have 50, 49"):
        estimator.fit(X, Y[1:])
    with pytest.raises(ValueError, match="takes two views, got 3"):
        estimator.fit([X, Y, Y])
    with pytest.raises(ValueError, match="view 1 is constant"):
        estimator.fit(X, np.ones((50, 2)))
    holed = X.copy()
    holed[1, 2] = np.nan
    with pytest.raises(ValueError, match="view 0 contains NaN in column 2"):
        estimator.fit(holed, Y)


def test_bad_parameters_are_named():
    X, Y = planted(50)
    with pytest.raises(ValueError, match="alpha must lie in 0"):
        SparseCCA(alpha=1.0).fit(X, Y)
    with pytest.raises(ValueError, match=r"n_components=61 must lie in 1\.\.60"):
        SparseCCA(61).fit(X, Y)
    with pytest.raises(ValueError, match=r"n_components=61 must lie in 1\.\.60"):
        PrimalDualSparseCCA(61).fit(X, Y)
    with pytest.raises(ValueError, match="kernel must be"):
        PrimalDualSparseCCA(kernel="cubic").fit(X, Y)
    with pytest.raises(ValueError, match="must be square"):
        PrimalDualSparseCCA(kernel="precomputed").fit(X, Y)
