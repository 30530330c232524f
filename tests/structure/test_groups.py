"""Feature groups, and what is lost when one feature of a group is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure import AssociationMatrix, associate
from covey.structure import feature_groups, redundancy
from covey.structure.groups import dendrogram_lines, shares_kept


def matrix_of(values: np.ndarray, names: str) -> AssociationMatrix:
    kinds = ("numeric",) * len(names)
    return AssociationMatrix(
        "made up",
        tuple(names),
        tuple(names),
        kinds,
        kinds,
        np.asarray(values, dtype=float),
        np.full((len(names),) * 2, 100),
        np.where(np.isnan(values), 1, 0).astype(np.uint8),
    )


FIVE = matrix_of(
    [
        [1.0, 0.9, 0.8, 0.5, 0.1],
        [0.9, 1.0, 0.7, 0.4, 0.3],
        [0.8, 0.7, 1.0, 0.1, 0.2],
        [0.5, 0.4, 0.1, 1.0, 0.0],
        [0.1, 0.3, 0.2, 0.0, 1.0],
    ],
    "abcde",
)


def two_blocks(n_samples: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(n_samples, 2)), [3, 2], axis=1) + 0.3 * rng.normal(size=(n_samples, 5))


def shares_by_definition(squared: np.ndarray) -> list[float]:
    out = []
    for r in range(len(squared)):
        others = np.delete(squared, r, axis=0)
        out.append(np.minimum(others, squared[r]).sum() / others.sum())
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 1000), st.booleans())
def test_shares_kept_agree_with_their_definition(n_members, n_others, seed, ties):
    squared = np.random.default_rng(seed).random((n_members, n_others)) + 0.01
    squared = squared.round(1) + 0.1 if ties else squared
    assert shares_kept(squared) == pytest.approx(shares_by_definition(squared))


def test_shares_kept_when_nothing_can_be_lost():
    assert shares_kept(np.zeros((3, 4))).tolist() == [1.0, 1.0, 1.0]
    assert shares_kept(np.zeros((2, 0))).tolist() == [1.0, 1.0]
    assert shares_kept(np.array([[0.3], [0.0]])).tolist() == [1.0, 0.0]


def test_planted_blocks_are_found():
    found = feature_groups(two_blocks(), measure="pearson")
    assert found.groups == (("x0", "x1", "x2"), ("x3", "x4"))
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert set(found.ordered_names[:3]) in ({"x0", "x1", "x2"}, {"x3", "x4"} | {found.ordered_names[2]})
    assert np.count_nonzero(np.diff(found.labels[found.order])) == 1


def test_measure_and_matrix_give_the_same_groups():
    x = two_blocks()
    from_matrix = feature_groups(associate(x, measure="pearson"))
    assert from_matrix.groups == feature_groups(x, measure="pearson").groups
    assert from_matrix.measure == "pearson"


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(5)))
def test_groups_do_not_depend_on_the_order_of_columns(order):
    values = FIVE.values[np.ix_(order, order)]
    shuffled = matrix_of(values, "".join("abcde"[k] for k in order))
    partition = {frozenset(group) for group in feature_groups(shuffled, 0.6).groups}
    assert partition == {frozenset("abc"), frozenset("d"), frozenset("e")}


def test_linkages_differ_as_their_definitions_do():
    chain = matrix_of([[1, 0.7, 0.1], [0.7, 1, 0.65], [0.1, 0.65, 1]], "abc")
    assert feature_groups(chain, 0.6, linkage="single").shared == (("a", "b", "c"),)
    assert feature_groups(chain, 0.6, linkage="complete").shared == (("a", "b"),)


def test_representative_by_hand():
    [group] = redundancy(FIVE)
    assert group.members == ("a", "b", "c")
    # a: min(.16,.25)+min(.09,.01)+min(.01,.25)+min(.04,.01) = .19 of .30; b: .30 of .31; c: .06 of .51
    assert group.representative == "b"
    assert group.association_kept == pytest.approx((0.16 + 0.01 + 0.01 + 0.04) / 0.31)
    assert group.weakest == pytest.approx(0.7)
    assert group.relevance_kept is None
    assert group.others == ("a", "c")


def test_target_weighs_in_and_is_left_out_of_groups_and_rest():
    [group] = redundancy(FIVE, target="d")
    assert group.members == ("a", "b", "c")
    assert group.representative == "b"
    assert group.association_kept == pytest.approx((0.01 + 0.04) / (0.01 + 0.04))
    assert group.relevance_kept == pytest.approx((0.16 + 0.01) / (0.25 + 0.01))
    assert all("a" not in g.members for g in redundancy(FIVE, target="a") if len(g.members) > 2)


def test_given_relevance_replaces_the_matrix():
    [group] = redundancy(FIVE, groups=["abc"], relevance={"c": 0.5, "a": 0.1})
    assert group.representative in ("b", "c")
    kept = {"c": 1.0, "b": 0.0, "a": 0.01 / 0.25}
    assert group.relevance_kept == pytest.approx(kept[group.representative])


def test_a_whole_table_of_copies_keeps_everything_with_the_central_one():
    values = np.array([[1, 0.9, 0.7], [0.9, 1, 0.9], [0.7, 0.9, 1]])
    [group] = redundancy(matrix_of(values, "abc"))
    assert (group.representative, group.association_kept, group.weakest) == ("b", 1.0, 0.7)


def test_groups_come_largest_first_and_lonely_features_are_skipped():
    found = redundancy(two_blocks(), groups=[["x3", "x4"], ["x0", "x1", "x2"]], measure="pearson")
    assert [group.members for group in found] == [("x0", "x1", "x2"), ("x3", "x4")]
    assert redundancy(FIVE, groups=[["d"], ["e"]]) == []
    groups = feature_groups(two_blocks(), measure="pearson")
    assert redundancy(two_blocks(), groups, measure="pearson") == found


def test_undefined_associations_count_as_none():
    values = FIVE.values.copy()
    values[4, :4] = values[:4, 4] = np.nan
    matrix = matrix_of(values, "abcde")
    assert feature_groups(matrix, 0.3).groups[-1] == ("e",)
    [group] = redundancy(matrix)
    assert group.representative == "a"


def test_dendrogram_draws_every_merge_at_its_strength():
    found = feature_groups(FIVE)
    x, height = dendrogram_lines(found.tree, found.order)
    assert len(x) == 5 * 4
    assert height[1::5] == pytest.approx(found.tree[:, 2])
    leaves = x[(height == 0) & ~np.isnan(x)]
    assert sorted(leaves) == [0, 1, 2, 3, 4]
    figure = found.dendrogram()
    assert list(figure.layout.xaxis.ticktext) == list(found.ordered_names)


def test_a_thousand_features_in_one_chain_do_not_overflow_the_stack():
    position = np.arange(1500)
    strength = np.maximum(1 - np.abs(position[:, None] - position) / 1500.0, 0)
    names = [f"f{k}" for k in position]
    kinds = ("numeric",) * 1500
    chain = AssociationMatrix(
        "made up", tuple(names), tuple(names), kinds, kinds, strength, np.full(strength.shape, 9), 0 * strength
    )
    found = feature_groups(chain, 0.95, linkage="single")
    assert len(found.groups) == 1
    assert len(found.dendrogram().data[0].x) == 5 * 1499


def test_repr_says_the_sizes():
    assert repr(feature_groups(FIVE)) == "<FeatureGroups made up >= 0.6: 5 features, 1 groups (largest 3), 2 alone>"


def test_bad_input_is_named():
    x = two_blocks()
    with pytest.raises(ValueError, match="threshold"):
        feature_groups(FIVE, 1.2)
    with pytest.raises(ValueError, match="no linkage"):
        feature_groups(FIVE, linkage="ward")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no column 'z'"):
        redundancy(FIVE, target="z")
    with pytest.raises(ValueError, match="no column 'z'"):
        redundancy(FIVE, groups=[["a", "z"]])
    with pytest.raises(ValueError, match="no column 'z'"):
        redundancy(FIVE, relevance={"z": 0.4})
    with pytest.raises(ValueError, match="twice"):
        redundancy(FIVE, groups=[["a", "a"]])
    with pytest.raises(ValueError, match="holds the target 'a'"):
        redundancy(FIVE, groups=[["a", "b"]], target="a")
    with pytest.raises(ValueError, match="every feature against every feature"):
        feature_groups(associate(x, measure="pearson", target="x0"))
