"""Heteroscedastic regression against its definition, directions of drawn pairs, and bad input."""

import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime, minimize
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.engine import LocalEngine
from covey.measure.causal import (
    CONSTANT,
    FEW_ROWS,
    NO_DEPENDENCE,
    HeteroscedasticNetwork,
    HeteroscedasticRidge,
    LocationScaleNoiseModel,
    _network_loss,
    cause_effect_direction,
    gaussian_log_likelihood,
    natural_gaussian_fit,
)
from covey.measure.hsic import hsic


@parametrize_with_checks(
    [
        HeteroscedasticRidge(n_knots=5, degree=3, max_iter=50),
        HeteroscedasticNetwork(n_hidden=10, max_iter=60),
        LocationScaleNoiseModel(estimator=HeteroscedasticRidge(n_knots=4, degree=2, max_iter=20)),
    ]
)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


def drawn_pair(seed=0, n=400):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, np.sin(2 * x) + (0.2 + 0.5 / (1 + np.exp(-4 * x))) * rng.normal(size=n)


def test_likelihood_is_the_mean_normal_log_density():
    rng = np.random.default_rng(0)
    y, mean, scale = rng.normal(size=20), rng.normal(size=20), rng.uniform(0.5, 2, size=20)
    assert gaussian_log_likelihood(y, mean, scale) == pytest.approx(stats.norm.logpdf(y, mean, scale).mean())


def test_fit_is_the_optimum_of_the_joint_objective():
    rng = np.random.default_rng(1)
    phi = rng.uniform(0.1, 1, size=(60, 3))
    y = phi @ [1.0, -1.0, 0.5] + phi[:, 0] * rng.normal(size=60)
    w1, w2, _ = natural_gaussian_fit(phi, phi, y, alpha=0.1, tol=1e-14)

    def objective(weights):
        eta, half = phi @ weights[:3], phi @ weights[3:]
        density = stats.norm.logpdf(y, eta / (2 * half), np.sqrt(1 / (2 * half)))
        return -density.sum() + 0.05 * weights @ weights

    start = np.concatenate([np.zeros(3), np.ones(3)])
    found = minimize(objective, start, method="L-BFGS-B", bounds=[(None, None)] * 3 + [(1e-7, None)] * 3)
    assert objective(np.concatenate([w1, w2])) <= found.fun + 1e-6


def test_network_gradient_by_differences():
    rng = np.random.default_rng(2)
    inputs, y = rng.normal(size=(15, 3)), rng.normal(size=15)
    weights = 0.5 * rng.normal(size=3 * 4 + 5 * 2)
    numeric = approx_fprime(weights, lambda w: _network_loss(inputs, y, 4, 0.1, w)[0], 1e-7)
    assert _network_loss(inputs, y, 4, 0.1, weights)[1] == pytest.approx(numeric, abs=1e-5)


@pytest.mark.parametrize("model", [HeteroscedasticRidge(n_knots=8), HeteroscedasticNetwork(n_hidden=30)])
def test_mean_and_scale_are_recovered_in_the_units_of_the_target(model):
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, size=3000)
    mean, scale = 1e6 + 100 * np.sin(2 * x), 50 * np.exp(0.5 * x)
    y = mean + scale * rng.normal(size=3000)
    found, deviation = model.fit(x[:, None], y).predict(x[:, None], return_std=True)
    assert np.corrcoef(found, mean)[0, 1] > 0.98
    assert np.abs(np.log(deviation / scale)).mean() < 0.1
    truth = stats.norm.logpdf(y, mean, scale).mean()
    assert model.log_likelihood(x[:, None], y) == pytest.approx(truth, abs=0.02)


def test_constant_scale_is_ridge_regression_with_one_deviation():
    x, y = drawn_pair()
    model = HeteroscedasticRidge(constant_scale=True).fit(x[:, None], y)
    mean, deviation = model.predict(x[:, None], return_std=True)
    assert np.ptp(deviation) < 1e-12
    assert deviation[0] == pytest.approx(np.std(y - mean), rel=0.01)
    free = HeteroscedasticRidge().fit(x[:, None], y)
    assert free.log_likelihood(x[:, None], y) > model.log_likelihood(x[:, None], y) + 0.05


def test_an_exact_relation_has_a_finite_likelihood():
    x = np.linspace(-1, 1, 100)
    model = HeteroscedasticRidge().fit(x[:, None], 3 * x)
    assert np.isfinite(model.log_likelihood(x[:, None], 3 * x))
    assert model.predict(x[:, None]) == pytest.approx(3 * x, abs=0.02)


@pytest.mark.parametrize("criterion", ["hsic", "loglik"])
def test_direction_of_drawn_pairs_and_their_exchange(criterion):
    for seed in range(4):
        x, y = drawn_pair(seed)
        forward, backward = (cause_effect_direction(*pair, criterion=criterion) for pair in ((x, y), (y, x)))
        assert (forward.direction, backward.direction) == (1, -1)
        assert forward.score == pytest.approx(-backward.score, rel=1e-6)
        assert forward.log_likelihood == pytest.approx(backward.log_likelihood[::-1], rel=1e-6)


def test_direction_does_not_depend_on_units():
    x, y = drawn_pair(5)
    one, other = cause_effect_direction(x, y), cause_effect_direction(1e3 * x + 1e6, -0.01 * y)
    assert one.direction == other.direction == 1
    assert one.score == pytest.approx(other.score, abs=1e-3)


def test_dependence_is_hsic_of_the_standardised_residual():
    x, y = drawn_pair(6)
    found = cause_effect_direction(x, y)
    a, b = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    mean, scale = found.models[0].predict(a[:, None], return_std=True)
    assert found.dependence[0] == pytest.approx(hsic(a, (b - mean) / scale))
    assert found.score == pytest.approx(found.dependence[1] - found.dependence[0])
    few = cause_effect_direction(x, y, max_rows=100)
    assert few.dependence != found.dependence and few.log_likelihood == found.log_likelihood


def test_network_finds_directions_too():
    x, y = drawn_pair(7)
    assert cause_effect_direction(y, x, estimator="network", criterion="loglik").direction == -1


def test_matrix_of_directions_is_that_of_pairs_whatever_the_workers():
    x, y = drawn_pair(8)
    X = np.column_stack([y, x, np.where(np.arange(400) < 20, np.nan, x + y**2), np.ones(400)])
    one, two = (LocationScaleNoiseModel("loglik", engine=LocalEngine(w)).fit(X) for w in (1, 2))
    assert (one.direction_ == two.direction_).all() and np.array_equal(one.score_, two.score_, equal_nan=True)
    assert one.direction_[1, 0] == 1 and (one.direction_ == -one.direction_.T).all()
    assert one.score_[0, 2] == cause_effect_direction(X[:, 0], X[:, 2], "loglik").score
    assert np.isnan(one.score_[3]).all() and (one.direction_[3] == 0).all()


def test_undefined_directions_say_why():
    x, y = drawn_pair()
    constant = cause_effect_direction(x, np.ones(400))
    assert (constant.direction, constant.reason) == (0, CONSTANT) and np.isnan(constant.score)
    holes = np.where(np.arange(400) < 380, np.nan, y)
    few = cause_effect_direction(x, holes)
    assert (few.direction, few.reason, few.n) == (0, FEW_ROWS, 20)
    assert "undecided" in repr(few)


def test_bad_input_is_named():
    x, y = drawn_pair()
    with pytest.raises(ValueError, match="columns of one length"):
        cause_effect_direction(x, y[1:])
    with pytest.raises(ValueError, match="infinite"):
        cause_effect_direction(np.where(x > 2, np.inf, x), y)
    with pytest.raises(ValueError, match="criterion must be"):
        cause_effect_direction(x, y, criterion="aic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="estimator must be"):
        cause_effect_direction(x, y, estimator="forest")
    with pytest.raises(ValueError, match="max_rows"):
        cause_effect_direction(x, y, max_rows=5)
    with pytest.raises(ValueError, match="alpha must be above 0"):
        HeteroscedasticRidge(alpha=0.0).fit(x[:, None], y)
    with pytest.raises(ValueError, match="alpha must be above 0"):
        HeteroscedasticRidge(alpha=np.nan).fit(x[:, None], y)
    for psi in (np.r_[0.0, np.ones(len(y) - 1)], np.r_[-1.0, np.ones(len(y) - 1)]):
        with pytest.raises(ValueError, match="psi must be nowhere negative"):
            natural_gaussian_fit(x[:, None], psi[:, None], y)
    with pytest.raises(ValueError, match="n_hidden"):
        HeteroscedasticNetwork(n_hidden=0).fit(x[:, None], y)


@pytest.mark.parametrize("column", ["two values", "three values", "zeros at the top"])
def test_columns_with_ties_get_knots_that_differ(column):
    rng = np.random.default_rng(3)
    x = {
        "two values": rng.integers(0, 2, size=400).astype(float),
        "three values": rng.integers(0, 3, size=400).astype(float),
        "zeros at the top": np.minimum(rng.normal(size=400), 0.0),
    }[column]
    y = 2 * x + (1 + x) ** 2 * 0.3 * rng.normal(size=400)
    model = HeteroscedasticRidge().fit(x[:, None], y)
    at = np.unique(x)[[0, -1]]
    for value, mean in zip(at, model.predict(at[:, None])):
        assert mean == pytest.approx(y[np.abs(x - value) < 0.1].mean(), abs=0.3)
    assert np.isfinite(cause_effect_direction(x, y).score)


def test_a_sample_without_the_one_row_that_differs_has_no_direction():
    x = np.zeros(500)
    x[7] = 1.0
    found = cause_effect_direction(x, np.random.default_rng(0).normal(size=500), max_rows=30)
    assert found.direction == 0 and np.isnan(found.score) and found.reason == NO_DEPENDENCE
    assert found.models and np.isfinite(found.log_likelihood).all()
