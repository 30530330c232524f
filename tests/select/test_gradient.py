"""Feature gradients: the estimate by its definition, its gradient, planted columns, streams, bad input."""

import tracemalloc
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import FeatureGradientSelector
from covey.select.gradient import COEFFICIENTS, PredictabilityEstimate, largest_eigenvalue, loss_and_slopes, times_upper


@parametrize_with_checks([FeatureGradientSelector(order=2, penalty=0.1, max_iter=2)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def block(seed, n=70, d=9, n_targets=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, n_targets)), rng.uniform(size=d), rng.normal(size=n_targets)


def linear(seed=0, n=600, d=60):
    """Columns 4, 9 and 30 make the target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, x[:, 4] - x[:, 9] + x[:, 30] + rng.normal(size=n)


@pytest.mark.parametrize("order", COEFFICIENTS)
def test_the_estimate_is_its_definition(order):
    x, y, s, _ = block(order)
    upper = np.triu((x * s) @ x.T, 1)
    terms = [np.diag(y.T @ np.linalg.matrix_power(upper, k + 1) @ y) / comb(len(x), k + 2) for k in range(order)]
    assert PredictabilityEstimate(x, y, s, order).values == pytest.approx(COEFFICIENTS[order] @ np.array(terms))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(6, 80), st.integers(0, 99))
def test_the_gradient_is_that_of_differences(order, n, seed):
    x, y, s, outer = block(seed, n)

    def value(mask):
        return outer @ PredictabilityEstimate(x, y, mask, order).values

    gradient = PredictabilityEstimate(x, y, s, order).gradient(outer)
    steps = 1e-5 * np.eye(len(s))
    differences = np.array([(value(s + step) - value(s - step)) / 2e-5 for step in steps])
    assert gradient == pytest.approx(differences, abs=1e-5, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 100), st.integers(0, 99))
def test_the_triangle_is_never_formed_and_gives_the_same_product(n, seed):
    x, y, s, _ = block(seed, n)
    assert times_upper(x, s, y) == pytest.approx(np.triu((x * s) @ x.T, 1) @ y)


def test_memory_grows_with_the_batch_not_with_its_square():
    x, y, s, _ = block(0, n=3000, d=20, n_targets=1)
    tracemalloc.start()
    PredictabilityEstimate(x, y, s, 4).gradient(np.ones(1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * x.nbytes < 3000**2 * 8 / 20


def test_slopes_are_those_of_the_loss_and_lead_back_inside():
    z = np.array([0.1, 0.5, 0.9])
    for classes in (False, True):
        slopes = [
            (loss_and_slopes(z + step, classes)[0] - loss_and_slopes(z - step, classes)[0]) / 2e-6
            for step in 1e-6 * np.eye(3)
        ]
        assert loss_and_slopes(z, classes)[1] == pytest.approx(np.array(slopes), rel=1e-5)
    outside = loss_and_slopes(np.array([-0.2, 1.3]), classes=True)[1]
    assert outside[0] < 0 < outside[1]


def test_the_largest_eigenvalue():
    x = np.random.default_rng(0).normal(size=(200, 30)) @ np.diag(np.linspace(1, 3, 30))
    assert largest_eigenvalue(x, 200) == pytest.approx(np.linalg.eigvalsh(x.T @ x / 200)[-1], rel=1e-3)
    assert largest_eigenvalue(np.zeros((5, 3))) == 1e-3


@pytest.mark.parametrize("order", COEFFICIENTS)
def test_planted_columns_are_found(order):
    x, y = linear()
    selector = FeatureGradientSelector(order=order, penalty=2.0, random_state=0).fit(x, y)
    assert set(np.argsort(selector.ranking_)[:3]) == {4, 9, 30}
    assert selector.get_support()[[4, 9, 30]].all() and selector.get_support().sum() <= 6


def test_classes_are_each_set_against_the_rest():
    rng = np.random.default_rng(0)
    labels = rng.choice(list("abc"), 600)
    x = rng.normal(size=(600, 30))
    for j, label in enumerate("abc"):
        x[:, 5 * j] += 1.5 * (labels == label)
    selector = FeatureGradientSelector(k=3, random_state=0).fit(x, labels)
    assert selector.get_support(indices=True).tolist() == [0, 5, 10]


def test_products_are_found_among_products():
    x = np.random.default_rng(0).normal(size=(3000, 8))
    wide = PolynomialFeatures(2, include_bias=False).fit(x)
    selector = FeatureGradientSelector(k=2, order=2, random_state=0).fit(wide.transform(x), x[:, 0] * x[:, 1])
    assert wide.get_feature_names_out()[np.argmin(selector.ranking_)] == "x0 x1"


def test_columns_of_a_group_have_one_mask():
    x, y = linear(d=40)
    groups = np.repeat(np.arange(10), 4)
    x[:, 3] = 1.0
    selector = FeatureGradientSelector(groups=groups, random_state=0).fit(x, y)
    scores = selector.scores_.reshape(10, 4)
    assert np.isnan(selector.scores_[3])
    assert (np.nanmax(scores, axis=1) == np.nanmin(scores, axis=1)).all()
    assert set(np.argsort(-np.nanmax(scores, axis=1))[:3]) == {1, 2, 7}


def test_sparse_columns_give_what_dense_ones_do():
    rng = np.random.default_rng(0)
    x = random_array((500, 40), density=0.2, format="csr", rng=rng)
    y = x[:, [3]].toarray().ravel() - x[:, [17]].toarray().ravel() + 0.1 * rng.normal(size=500)
    sparse, dense = (FeatureGradientSelector(k=2, random_state=0).fit(m, y) for m in (x, x.toarray()))
    assert sparse.scores_ == pytest.approx(dense.scores_)
    assert sparse.get_support(indices=True).tolist() == [3, 17]
    assert (sparse.transform(x) != x[:, [3, 17]]).nnz == 0


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_a_stream_of_rows(kind):
    x, y = linear(n=3000)
    stream = FeatureGradientSelector(k=3, batch_size=100, random_state=0)
    for rows in np.array_split(np.arange(3000), 5):
        stream.partial_fit(kind(x[rows]), y[rows])
    assert stream.n_steps_ == 30
    assert stream.get_support(indices=True).tolist() == [4, 9, 30]


def test_one_part_is_one_pass_over_all_rows():
    x, y = linear()
    part = FeatureGradientSelector(batch_size=200, random_state=3).partial_fit(x, y)
    whole = FeatureGradientSelector(batch_size=200, max_iter=1, random_state=3).fit(x, y)
    assert part.scores_ == pytest.approx(whole.scores_)


def test_classes_of_a_stream():
    x = np.random.default_rng(0).normal(size=(90, 5))
    labels = np.array(["a", "b"])[(x[:, 2] > 0).astype(int)]
    stream = FeatureGradientSelector(k=1, penalty=0.3).partial_fit(x, labels, classes=["a", "b", "c"])
    assert stream.partial_fit(x, np.where(x[:, 2] > 0, "c", "a")).get_support(indices=True).tolist() == [2]
    with pytest.raises(ValueError, match="class that was not known at first, 'd'"):
        stream.partial_fit(x, np.where(x[:, 2] > 0, "d", "a"))


def test_classes_of_a_stream_may_be_numbers_of_any_type():
    x = np.random.default_rng(0).normal(size=(90, 5))
    y = (x[:, 2] > 0).astype(np.float64)
    known = FeatureGradientSelector(penalty=0.3, random_state=0).partial_fit(x, y, classes=np.unique(y))
    untold = FeatureGradientSelector(penalty=0.3, random_state=0).partial_fit(x, y)
    assert np.array_equal(known.scores_, untold.scores_)


def test_a_stream_goes_on_after_a_refused_part_and_starts_afresh_after_fit():
    x, y = linear(n=200)
    stream = FeatureGradientSelector(k=1, random_state=0)
    with pytest.raises(ValueError, match="requires y"):
        stream.partial_fit(x, None)
    assert stream.partial_fit(x, y).n_iter_ == 1
    again = stream.fit(x[:, :20], y).partial_fit(x[:, :20], y)
    fresh = FeatureGradientSelector(k=1, random_state=0).partial_fit(x[:, :20], y)
    assert again.n_iter_ == 1 and np.array_equal(again.scores_, fresh.scores_)


def test_values_near_the_largest_and_the_smallest_float():
    x, y = linear(n=200)
    plain = FeatureGradientSelector(random_state=0).fit(x, y)
    for unit in (2.0**1000, 2.0**-900):
        assert FeatureGradientSelector(random_state=0).fit(unit * x, unit * y).scores_ == pytest.approx(plain.scores_)


def test_constants_alone_take_no_step():
    selector = FeatureGradientSelector().fit(np.ones((30, 2)), np.arange(30.0))
    assert selector.n_iter_ == selector.n_steps_ == 0 and not selector.get_support().any()


def test_the_same_seed_gives_the_same_bits_and_scales_do_not_matter():
    x, y = linear(n=200)
    one, two = (FeatureGradientSelector(batch_size=50, max_iter=4, random_state=7).fit(x, y).scores_ for _ in range(2))
    assert np.array_equal(one, two)
    moved = StandardScaler().fit_transform(x) * 2.0 ** np.arange(x.shape[1]) + 1e3
    assert FeatureGradientSelector(batch_size=50, max_iter=4, random_state=7).fit(moved, -y).scores_ == pytest.approx(
        one, abs=1e-5
    )


def test_a_mean_of_a_billion():
    x, y = linear()
    moved = FeatureGradientSelector(k=3, random_state=0).fit(x + 1e9, y + 1e9)
    assert moved.get_support(indices=True).tolist() == [4, 9, 30]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": 6}, "order must be 1..5, got 6"),
        ({"penalty": -1.0}, "penalty must not be negative"),
        ({"order": 4.0}, r"order must be 1..5, got 4\.0"),
        ({"max_iter": 0.5}, r"max_iter must be a whole number from 1, got 0\.5"),
        ({"batch_size": 20.5}, "batch_size must be a whole number from 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"groups": [0, 1]}, r"groups has shape \(2,\), not \(60,\)"),
        ({"batch_size": 4}, "batches of 4 rows are too few for order=4"),
        ({"k": 61}, "k=61 is larger"),
        ({"k": "most"}, "k must be"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        FeatureGradientSelector(**parameters).fit(*linear(n=50))


def test_bad_data():
    x, y = linear(n=50)
    with pytest.raises(ValueError, match="requires y"):
        FeatureGradientSelector().partial_fit(x, None)
    with pytest.raises(ValueError, match="X has 50 rows and y has 20"):
        FeatureGradientSelector().fit(csr_array(x), y[:20])
    x[3, 1] = np.nan
    for data in (x, csr_array(x)):
        with pytest.raises(ValueError, match="NaN"):
            FeatureGradientSelector().fit(data, y)
