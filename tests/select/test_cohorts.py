"""Metrics with errors and paired tests: formulas of their own, calibration, clusters."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score, roc_auc_score

from covey.select._cohorts import (
    area_under_curve,
    cohort_metrics,
    determination,
    holm,
    mean_metric,
    paired_test,
    standard_error,
)


def scores(n=80, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    s = y + rng.normal(size=n)
    return y, np.round(s, 0 if ties else 9)


@pytest.mark.parametrize("ties", [False, True])
def test_area_and_its_variance_are_those_of_delong(ties):
    y, s = scores(ties=ties)
    found = area_under_curve(y, s)
    assert found.value == pytest.approx(roc_auc_score(y, s))
    wins = (s[y][:, None] > s[~y]) + 0.5 * (s[y][:, None] == s[~y])
    variance = wins.mean(axis=1).var(ddof=1) / y.sum() + wins.mean(axis=0).var(ddof=1) / (~y).sum()
    assert found.error() ** 2 == pytest.approx(variance)


def test_a_difference_of_areas_is_that_of_delong():
    y, a = scores()
    _, b = scores(seed=1)
    b = a + b
    each = [(s[y][:, None] > s[~y]).astype(float) for s in (a, b)]
    cases, controls = (np.array([w.mean(axis=k) for w in each]) for k in (1, 0))
    covariance = np.cov(cases) / y.sum() + np.cov(controls) / (~y).sum()
    expected = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference, error, p = paired_test(area_under_curve(y, a), area_under_curve(y, b))
    assert difference == pytest.approx(roc_auc_score(y, a) - roc_auc_score(y, b))
    assert error == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.norm.sf(abs(difference) / expected))


def test_a_mean_has_its_standard_error():
    x = np.random.default_rng(0).normal(size=30)
    assert mean_metric(x).error() == pytest.approx(stats.sem(x))


def test_determination_is_that_of_scikit_learn_and_its_error_that_of_the_bootstrap():
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    predicted = y + 0.7 * rng.normal(size=400)
    found = determination(y, predicted)
    assert found.value == pytest.approx(r2_score(y, predicted))
    draws = rng.integers(400, size=(800, 400))
    assert found.error() == pytest.approx(np.std([r2_score(y[d], predicted[d]) for d in draws]), rel=0.1)


def test_tests_keep_their_level():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(400):
        y = rng.random(150) < 0.5
        a, b = y + rng.normal(size=(2, 150))
        p.append(paired_test(area_under_curve(y, a), area_under_curve(y, b))[2])
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09


def test_rows_that_are_copied_count_once_as_clusters():
    _, s = scores(50)
    one = mean_metric(s)
    twice, clusters = mean_metric(np.repeat(s, 2)), np.repeat(np.arange(50), 2)
    assert twice.error(clusters) == pytest.approx(one.error(), rel=0.02)
    assert twice.error() < 0.75 * one.error()


def test_several_classes_are_averaged():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=90)
    p = np.eye(3)[y] + rng.random((90, 3))
    found = cohort_metrics(y, True, p, p.argmax(axis=1))
    assert found["auc"].value == pytest.approx(np.mean([roc_auc_score(y == c, p[:, c]) for c in range(3)]))
    assert found["accuracy"].value == pytest.approx(np.mean(p.argmax(axis=1) == y))


def test_undefined_metrics():
    assert np.isnan(area_under_curve([True, True], [0.1, 0.2]).value)
    assert np.isnan(determination([1.0, 1.0], [0.0, 1.0]).value)
    assert np.isnan(mean_metric([1.0]).error())
    assert standard_error(np.zeros(3)) == 0.0


def test_holm_is_monotone_and_capped():
    p = [0.01, 0.2, 0.03, 0.9]
    assert holm(p) == pytest.approx([0.04, 0.4, 0.09, 0.9])
    assert holm([0.9, 0.9]) == pytest.approx([1.0, 1.0])
