from __future__ import annotations

import numpy as np
import pytest

from covey.measure import associate
from covey.report._material import affordable_rows, equal_parts, is_feature, reordered, with_target
from tests.report._planted import codes, material, numbers, table


def test_identifiers_text_constants_and_empty_columns_are_no_features() -> None:
    n = 60
    source = table(
        numbers("x", np.arange(n)),
        numbers("constant", np.ones(n)),
        numbers("empty", np.full(n, np.nan)),
        codes("key", np.arange(n), [f"k{k}" for k in range(n)]),
        codes("text", np.arange(n), [f"t{k}" for k in range(n)], "text"),
        numbers("id", np.arange(n), "id"),
        codes("group", np.arange(n) % 2, "ab"),
    )
    assert material(source).features == ("x", "group")


def test_a_target_of_two_numbers_or_labels_becomes_boolean() -> None:
    source = table(numbers("y", [2.0, 1.0, np.nan, 2.0]), codes("c", [2, 0, -1, 2], "abc"))
    made = with_target(source, "y")["y"]
    assert (made.kind, made.categories, made.values.tolist()) == ("boolean", ("1", "2"), [1, 0, -1, 1])
    made = with_target(source, "c")["c"]
    assert (made.kind, made.categories, made.values.tolist()) == ("boolean", ("a", "c"), [1, 0, -1, 1])


def test_a_target_of_unique_numbers_is_a_number_whatever_its_kind_says() -> None:
    assert with_target(table(numbers("y", np.arange(50.0), "id")), "y").kind("y") == "numeric"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (numbers("y", np.ones(30)), "'y' has one value only"),
        (numbers("y", np.full(30, np.nan)), "'y' is missing in every row"),
        (codes("y", np.zeros(30), ("only",)), r"one value only \(only\)"),
        (codes("y", np.arange(30), [str(k) for k in range(30)], "id"), "'y' is an identifier"),
        (codes("y", np.arange(30), [str(k) for k in range(30)]), "'y' is an identifier"),
    ],
)
def test_a_target_that_nothing_can_relate_to_is_refused(column, message) -> None:
    with pytest.raises(ValueError, match=message):
        with_target(table(numbers("x", np.arange(30)), column), "y")


def test_an_unknown_target_is_refused_with_near_names() -> None:
    with pytest.raises(ValueError, match="did you mean 'income'"):
        with_target(table(numbers("income", [1.0, 2.0])), "incom")


def test_a_sample_keeps_the_order_of_rows_and_the_seed() -> None:
    source = table(numbers("x", np.arange(1000)))
    rows = material(source, sample=100).column("x").values
    assert len(rows) == 100 and (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, material(source, sample=100).column("x").values)


def test_affordable_rows_fall_with_the_number_of_pairs() -> None:
    assert affordable_rows(2) == 500_000
    assert affordable_rows(5000) == 10_000
    assert affordable_rows(500) * (500 * 499 // 2) <= 2e9


def test_square_equals_associate_for_every_entry() -> None:
    rng = np.random.default_rng(0)
    source = table(numbers("x", rng.normal(size=99)), codes("c", rng.integers(-1, 3, 99), "abc"))
    expected, found = associate(source), material(source).square("auto")
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.pvalues, expected.pvalues)
    np.testing.assert_array_equal(found.n, expected.n)


def test_reordered_moves_every_array_with_its_name() -> None:
    source = table(*(numbers(f"x{k}", np.random.default_rng(k).normal(size=50)) for k in range(4)))
    matrix = associate(source)
    moved = reordered(matrix, np.array([2, 0, 3, 1]))
    assert moved.rows == ("x2", "x0", "x3", "x1")
    for left in matrix.rows:
        for right in matrix.rows:
            np.testing.assert_equal(moved[left, right], matrix[left, right])


def test_codes_with_repeats_are_features() -> None:
    assert is_feature(codes("c", np.arange(100) % 50, [str(k) for k in range(50)]))
    assert not is_feature(codes("c", np.arange(100), [str(k) for k in range(100)]))


def test_equal_parts_hold_equal_counts_in_order_and_keep_ties_together() -> None:
    ranks = np.arange(1.0, 1001.0)
    np.testing.assert_array_equal(np.bincount(equal_parts(ranks, 5)), [200] * 5)
    assert (np.diff(equal_parts(ranks, 5)) >= 0).all()
    tied = equal_parts(np.array([1.0, 3.5, 3.5, 3.5, 3.5, 6.0]), 6)
    np.testing.assert_array_equal(tied, [0, 1, 1, 1, 1, 2])
    assert equal_parts(np.array([np.nan]), 4).tolist() == [-1]
