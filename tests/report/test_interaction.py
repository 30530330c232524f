from __future__ import annotations

import numpy as np
import pytest

from covey.report._interaction import crossed, interactions
from tests.report._planted import codes, material, numbers, table


def found_in(source, target="y"):
    made = material(source, target)
    return interactions(made, made.square("auto"))


@pytest.mark.parametrize("kind", ["category", "number"])
def test_an_exclusive_or_is_found(kind) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 2000))
    y = (a > 0) ^ (b > 0) ^ (rng.random(2000) < 0.1)
    columns = [numbers(n, v) if kind == "number" else codes(n, v > 0, "ny") for n, v in (("a", a), ("b", b), ("c", c))]
    [one] = found_in(table(*columns, codes("y", y, "ny")))
    assert {one.left, one.right} == {"a", "b"}
    assert one.together > 0.3 and max(one.left_alone, one.right_alone) < 0.01


def test_a_product_is_found_for_a_number() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3000))
    [one] = found_in(
        table(numbers("a", a), numbers("b", b), numbers("y", np.sign(a * b) + 0.3 * rng.normal(size=3000)))
    )
    assert {one.left, one.right} == {"a", "b"}


def test_features_that_tell_alone_are_no_interaction() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2000))
    assert found_in(table(numbers("a", a), numbers("b", b), numbers("y", a + b))) == []


def test_too_few_rows_a_cell_are_not_searched() -> None:
    a, b = np.random.default_rng(0).integers(0, 2, (2, 30))
    assert found_in(table(codes("a", a, "ny"), codes("b", b, "ny"), codes("y", a ^ b, "ny"))) == []


def test_crossed_codes_are_distinct_pairs() -> None:
    left, right = (side.ravel() for side in np.meshgrid([1, 2, 3], [1, 2], indexing="ij"))
    assert sorted(crossed(left, right)) == [1, 2, 3, 4, 5, 6]
