from __future__ import annotations

import numpy as np

from covey.report._missing import missing_effects, missing_together
from tests.report._planted import codes, material, numbers, table


def test_missingness_that_depends_on_another_column_is_found() -> None:
    rng = np.random.default_rng(0)
    age, x = rng.normal(size=2000), rng.normal(size=2000)
    x[age + rng.normal(size=2000) > 1.0] = np.nan
    [effect] = missing_effects(
        material(table(numbers("x", x), numbers("age", age), numbers("z", rng.normal(size=2000))))
    )
    assert (effect.columns, effect.other) == (("x",), "age")
    assert effect.strength > 0.3 and effect.n_missing == np.isnan(x).sum()


def test_the_target_goes_before_a_stronger_feature() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 3000)
    age = rng.normal(size=3000)
    x = np.where(rng.random(3000) < np.where(age > 0, 0.6, 0.02) + 0.15 * y, np.nan, 1.0 + rng.normal(size=3000))
    source = table(numbers("x", x), numbers("age", age), codes("y", y, "ab"))
    assert missing_effects(material(source, "y"))[0].other == "y"
    assert missing_effects(material(source))[0].other == "age"


def test_missing_at_random_is_not_reported() -> None:
    rng = np.random.default_rng(1)
    x = np.where(rng.random(2000) < 0.2, np.nan, rng.normal(size=2000))
    assert missing_effects(material(table(numbers("x", x), numbers("age", rng.normal(size=2000))))) == []


def test_columns_that_are_missing_in_the_same_rows_are_one_group() -> None:
    gone = np.arange(500) < 50
    other = np.arange(500) >= 400
    x = np.random.default_rng(0).normal(size=500)
    source = table(*(numbers(n, np.where(m, np.nan, x)) for n, m in (("a", gone), ("b", other), ("c", gone))))
    assert missing_together(material(source)) == [("a", "c"), ("b",)]


def test_a_few_missing_cells_have_no_mask() -> None:
    x = np.random.default_rng(0).normal(size=500)
    x[:9] = np.nan
    assert material(table(numbers("x", x))).masked == ()
