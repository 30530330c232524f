"""Cosine similarity of embeddings: bounds against search, closed forms against their objectives, what never changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics.pairwise import cosine_similarity as sk_cosine
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.compare import (
    LinearAutoencoderMF,
    cosine_ambiguity,
    cosine_similarity,
    data_space_cosine,
    rescaling_sensitivity,
)


@parametrize_with_checks([LinearAutoencoderMF(), LinearAutoencoderMF(penalty="factors", alpha=0.5)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def table(seed=0, n=60, p=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p))


def test_cosine_agrees_with_scikit_learn_and_has_no_direction_for_zero():
    rows = table()
    np.testing.assert_allclose(cosine_similarity(rows), sk_cosine(rows), atol=1e-12)
    rows[3] = 0
    assert np.isnan(cosine_similarity(rows)[3]).all()
    assert np.isnan(cosine_similarity(rows)).sum() == 2 * 60 - 1


def bounds_by_definition(u, v):
    """The bound is reached on two dimensions: search a fine grid of their weights."""
    values = []
    for i in range(len(u)):
        for j in range(len(u)):
            weight = np.concatenate([[0.0], np.geomspace(1e-14, 1e14, 8001)])
            with np.errstate(invalid="ignore"):
                product = u[i] * v[i] + weight * u[j] * v[j]
                values.append(product / np.sqrt((u[i] ** 2 + weight * u[j] ** 2) * (v[i] ** 2 + weight * v[j] ** 2)))
    values = np.concatenate(values)
    return np.nanmin(values), np.nanmax(values)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["positive", "signed", "sparse"]))
def test_bounds_are_those_of_a_search(seed, kind):
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 6, size=(4, 3)).astype(float)
    if kind == "signed":
        rows *= rng.choice([-1.0, 1.0], size=rows.shape)
    if kind == "sparse":
        rows[:, 1:] *= rng.integers(0, 2, size=(4, 2))
    least, greatest = cosine_ambiguity(rows)
    for i in range(4):
        for j in range(4):
            if i != j:
                low, high = bounds_by_definition(rows[i], rows[j])
                np.testing.assert_allclose([least[i, j], greatest[i, j]], [low, high], atol=2e-5)


def test_bounds_without_common_dimensions_and_of_zero_rows():
    least, greatest = cosine_ambiguity([[1, 0, 0], [0, 2, 0], [0, 0, 0], [3, 0, 0]])
    np.testing.assert_array_equal(least[0, [0, 1, 3]], [1, 0, 1])
    np.testing.assert_array_equal(greatest[0, [0, 1, 3]], [1, 0, 1])
    assert np.isnan(least[2]).all() and np.isnan(greatest[:, 2]).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_bounds_do_not_change_with_the_rescaling_and_hold_the_cosine(seed):
    rng = np.random.default_rng(seed)
    rows = np.abs(rng.normal(size=(6, 4)))
    scale = np.exp(rng.normal(size=4))
    least, greatest = cosine_ambiguity(rows)
    np.testing.assert_allclose(cosine_ambiguity(rows * scale)[0], least, atol=1e-9)
    assert (least <= cosine_similarity(rows * scale) + 1e-9).all() and (
        cosine_similarity(rows * scale) <= greatest + 1e-9
    ).all()


def objective(x, a, b, alpha, penalty):
    fit = ((x - x @ a @ b.T) ** 2).sum()
    extra = ((a @ b.T) ** 2).sum() if penalty == "product" else ((x @ a) ** 2).sum() + (b**2).sum()
    return fit + alpha * extra


@pytest.mark.parametrize("penalty", ["product", "factors"])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_no_small_step_lowers_the_objective(penalty, balance):
    x, rng = table(), np.random.default_rng(1)
    model = LinearAutoencoderMF(3, alpha=5.0, penalty=penalty, balance=balance).fit(x)
    best = objective(x, model.encoder_, model.decoder_, 5.0, penalty)
    for size in (1e-3, 1e-1):
        for _ in range(50):
            a = model.encoder_ + size * rng.normal(size=model.encoder_.shape)
            b = model.decoder_ + size * rng.normal(size=model.decoder_.shape)
            assert objective(x, a, b, 5.0, penalty) > best
    halfway = [objective(x, model.encoder_, model.decoder_ * f, 5.0, penalty) for f in (0.999, 1.001)]
    assert min(halfway) > best


def test_full_rank_product_penalty_is_ridge_whatever_the_balance():
    x = table()
    ridge = np.linalg.solve(x.T @ x + 3 * np.eye(8), x.T @ x)
    for balance in (0.0, 0.3, 1.0):
        model = LinearAutoencoderMF(8, alpha=3.0, balance=balance).fit(x)
        np.testing.assert_allclose(model.encoder_ @ model.decoder_.T, ridge, atol=1e-10)
    np.testing.assert_allclose(
        cosine_similarity(LinearAutoencoderMF(8, balance=0).fit(x).decoder_), np.eye(8), atol=1e-10
    )


def test_strong_weight_decay_leaves_nothing():
    x = table()
    model = LinearAutoencoderMF(8, alpha=1e4, penalty="factors").fit(x)
    assert not model.decoder_.any()


def test_rank_of_the_table_bounds_the_components():
    x = table(p=6) @ np.random.default_rng(2).normal(size=(6, 10))
    assert LinearAutoencoderMF(50).fit(x).n_components_ == 6


def test_data_space_cosine_is_that_of_the_output():
    x = table()
    model = LinearAutoencoderMF(4, alpha=2.0).fit(x)
    output = model.inverse_transform(model.transform(x))
    np.testing.assert_allclose(data_space_cosine(x, model.encoder_, model.decoder_), sk_cosine(output.T), atol=1e-10)


def test_sensitivity_against_its_definition():
    rows = table(n=30)
    result = rescaling_sensitivity(rows, 5, sigma=0.7, n_neighbors=3, random_state=4)
    rng = np.random.default_rng(4)
    draws = np.array([cosine_similarity(rows * np.exp(0.7 * rng.normal(size=8))) for _ in range(5)])
    np.testing.assert_allclose(result.spread, draws.std(axis=0), atol=1e-12)
    pairs = np.triu_indices(30, 1)
    expected = [spearmanr(cosine_similarity(rows)[pairs], draw[pairs])[0] for draw in draws]
    np.testing.assert_allclose(result.rank_correlation, expected, atol=1e-12)
    near = [{tuple(t) for t in np.argwhere(np.argsort(np.argsort(-(c - 9 * np.eye(30)))) < 3)} for c in draws]
    start = {tuple(t) for t in np.argwhere(np.argsort(np.argsort(-(cosine_similarity(rows) - 9 * np.eye(30)))) < 3)}
    np.testing.assert_allclose(result.neighbour_overlap, [len(start & n) / 90 for n in near])


def test_no_rescaling_changes_nothing():
    result = rescaling_sensitivity(table(n=20), 3, sigma=0.0)
    np.testing.assert_allclose(result.spread, 0, atol=1e-12)
    np.testing.assert_allclose(result.rank_correlation, 1)
    np.testing.assert_allclose(result.neighbour_overlap, 1)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: cosine_similarity([1.0, 2.0]), "matrix"),
        (lambda: cosine_similarity([[np.nan, 1.0]]), "finite"),
        (lambda: data_space_cosine(table(), np.ones((7, 2)), np.ones((7, 2))), "encoder"),
        (lambda: rescaling_sensitivity(np.eye(1)), "two rows"),
        (lambda: rescaling_sensitivity([[1.0, 2.0], [0.0, 0.0]]), "zeros"),
        (lambda: rescaling_sensitivity(np.eye(3), 0), "n_draws"),
        (lambda: LinearAutoencoderMF(0).fit(table()), "n_components"),
        (lambda: LinearAutoencoderMF(penalty="both").fit(table()), "penalty"),
        (lambda: LinearAutoencoderMF(alpha=-1).fit(table()), "alpha"),
        (lambda: LinearAutoencoderMF().fit(np.zeros((4, 3))), "zero"),
    ],
)
def test_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()
