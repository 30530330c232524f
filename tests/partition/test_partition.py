"""Who holds which feature."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.partition._partition import Partition, feature_names
from covey.table import read


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_labels_come_back(labels):
    partition = Partition.from_labels(np.array(labels, dtype=int), n_parties=5)
    assert partition.labels.tolist() == labels
    assert sum(partition.sizes) == sum(label >= 0 for label in labels)
    X = np.arange(3 * len(labels)).reshape(3, -1)
    for k, part in enumerate(partition.split(X)):
        np.testing.assert_array_equal(part, X[:, np.array(labels) == k])


def test_a_feature_may_lie_with_two_parties():
    partition = Partition.from_mapping({"a": ["y", "x"], "b": ["z", "y"]}, ["x", "y", "z"])
    assert [part.tolist() for part in partition.parties] == [[0, 1], [1, 2]]
    assert partition.labels.tolist() == [0, 0, 1]
    assert (partition.columns(0), partition.columns(1)) == (("x", "y"), ("y", "z"))
    assert partition.party_names == ("a", "b")


def test_prefixes_make_parties_in_the_order_they_come():
    partition = Partition.from_prefix(["s_1", "b_1", "s_2_x"])
    assert partition.party_names == ("s", "b")
    assert partition.labels.tolist() == [0, 1, 0]
    assert Partition.from_prefix(["s.1", "b.1"], ".").sizes == (1, 1)


def test_arrays_frames_and_tables_are_split_alike():
    X = np.arange(12.0).reshape(3, 4)
    partition = Partition.from_labels([1, 0, 1, -1], ["a", "b", "c", "d"])
    frame = pd.DataFrame(X, columns=list("abcd"))
    table = read(frame[["d", "c", "b", "a"]])
    for made in (partition.split(X), partition.split(frame), [t.numeric for t in partition.split(table)]):
        np.testing.assert_array_equal(made[0], X[:, [1]])
        np.testing.assert_array_equal(made[1], X[:, [0, 2]])
    assert [list(part.columns) for part in partition.split(frame)] == [["b"], ["a", "c"]]


def test_pickled():
    partition = Partition.from_labels([1, 0, 1])
    copy = pickle.loads(pickle.dumps(partition))
    assert (copy.labels.tolist(), copy.names) == ([1, 0, 1], ("x0", "x1", "x2"))
    assert repr(copy) == "<Partition of 3 features over 2 parties: 1, 2>"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Partition((), ("a",)), "at least one party"),
        (lambda: Partition(([0],), ("a",), ("p", "q")), "must be 1 different names"),
        (lambda: Partition(([0], [1]), ("a", "b"), ("p", "p")), "must be 2 different names"),
        (lambda: Partition(([0, 0],), ("a",)), "party-0 holds a feature twice"),
        (lambda: Partition.from_labels([0, 3], n_parties=2), "names party 3, but there are 2 parties"),
        (lambda: Partition.from_labels([0.5]), "one integer for each feature"),
        (lambda: Partition.from_labels([[0]]), "one integer for each feature"),
        (lambda: Partition.from_prefix(["a_1", "b"]), "column 'b' has no prefix before '_'"),
        (lambda: Partition.from_mapping({"p": ["z"]}, ["a"]), "party 'p': no column 'z'"),
        (lambda: Partition.from_mapping({"p": "a"}, ["a"]), "give a list of column names, not the text 'a'"),
        (lambda: Partition.from_labels([0, 1]).split(np.zeros((2, 3))), r"2 columns; its shape is \(2, 3\)"),
        (lambda: Partition.from_labels([0, 1]).split(np.zeros(2)), r"its shape is \(2,\)"),
    ],
)
def test_what_cannot_be(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("position", [-1, 5])
def test_a_feature_that_is_not_there_is_the_one_named(position):
    with pytest.raises(ValueError, match=f"party-0 holds feature {position}, but features are 0 to 1"):
        Partition(([0, position],), ("a", "b"))


def test_names_of_anything():
    assert feature_names(read({"u": [1.0], "v": [2.0]}), 2) == ("u", "v")
    assert feature_names(pd.DataFrame({3: [1.0]}), 1) == ("3",)
    assert feature_names(np.zeros((1, 2)), 2) == ("x0", "x1")
