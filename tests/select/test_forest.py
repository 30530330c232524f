import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from covey.select._forest import TreeAverageClassifier, TreeAverageRegressor


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6))
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.2 * rng.normal(size=600)


def test_as_good_as_scikit_learn(data):
    x, y = data
    labels = np.digitize(y, [-0.5, 0.5])
    for own, theirs, target in (
        (TreeAverageRegressor, ExtraTreesRegressor, y),
        (TreeAverageClassifier, ExtraTreesClassifier, labels),
    ):
        scores = [
            np.mean(
                [
                    make(50, random_state=seed).fit(x[:400], target[:400]).score(x[400:], target[400:])
                    for seed in range(4)
                ]
            )
            for make in (own, theirs)
        ]
        assert abs(scores[0] - scores[1]) < 0.03


def test_labels_of_any_kind_and_the_same_seed(data):
    x, y = data
    words = np.where(y > 0, "up", "down")
    first, second = (TreeAverageClassifier(5, random_state=3).fit(x, words) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    assert set(first.predict(x)) == {"up", "down"}
    np.testing.assert_allclose(first.predict_proba(x).sum(axis=1), 1.0)
