"""Encrypted gradients: sums come out exactly, and the trees are those without encryption."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from covey.partition._tree_kernels import add_histograms
from covey.partition.encryption import EncryptedGradients, GradientKey, rounded
from covey.partition.vertical_gbdt import VerticalGBDT

pytest.importorskip("phe")
TINY = {"n_estimators": 2, "max_depth": 3, "max_bins": 8, "key_bits": 256, "encryption": "paillier"}


@pytest.fixture(scope="module")
def key():
    return GradientKey(256)


def test_sums_are_exact(key):
    rng = np.random.default_rng(0)
    gradient, hessian = rounded(rng.normal(size=(30, 2)) * 3), rounded(rng.uniform(size=(30, 2)))
    codes = rng.integers(0, 3, size=(30, 2)).astype(np.uint8)
    slots = rng.integers(-1, 3, size=(2, 30)).astype(np.int32)
    target = np.array([0, -1, 1], dtype=np.int32)
    hidden = EncryptedGradients(key.public, key.encrypt(gradient, hessian))
    found = key.decrypt(*hidden.histograms(codes, slots, target, 2, 4))
    assert (found == add_histograms(codes, slots, target, gradient, hessian, 2, 4)).all()


def test_ciphertexts_of_equal_gradients_differ(key):
    """Or else the two classes could be told apart by comparing them."""
    zeros = np.zeros((4, 1), dtype=np.float32)
    assert len(np.unique(key.encrypt(zeros, zeros), axis=0)) == 4


def test_the_same_trees_as_without_encryption():
    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[:80, :4], y[:80]
    hidden = VerticalGBDT(**TINY).fit([X[:, :2], X[:, 2:]], y)
    pooled = VerticalGBDT(**TINY).fit([X], y)
    assert hidden.history_ == pooled.history_
    assert (hidden.scores([X[:, :2], X[:, 2:]]) == pooled.scores([X])).all()
    assert "gradient" not in hidden.traffic_.by_tag()


def test_several_classes_and_three_parties():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 6))
    y = np.digitize(X[:, 0] + X[:, 5], [-0.7, 0.7])
    hidden = VerticalGBDT(**TINY).fit([X[:, :2], X[:, 2:4], X[:, 4:]], y, label_party=1)
    assert hidden.history_ == VerticalGBDT(**TINY).fit([X], y).history_
    assert hidden.history_[-1] < hidden.history_[0]


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="key_bits must be at least 256"):
        GradientKey(128)


def test_a_gradient_beyond_the_range_is_refused(key):
    with pytest.raises(ValueError, match="too large"):
        key.encrypt(np.array([[2e4]], dtype=np.float32), np.ones((1, 1), dtype=np.float32))


def test_without_phe_the_mend_is_told(monkeypatch):
    real = builtins.__import__

    def no_phe(name, *args, **kwargs):
        if name == "phe":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_phe)
    with pytest.raises(ImportError, match=r"pip install 'covey\[secure\]'"):
        GradientKey(256)
