"""The frame of a study: claims, collection, failure, the page, and the noise that must make a study fail."""

from dataclasses import dataclass

import numpy as np
import pytest

from covey import studies
from covey.catalogue import Method
from covey.studies import Claim, StudyResult, renew, run, run_all, scrambled, study_of, to_markdown


@pytest.mark.parametrize(
    ("measured", "bound", "comparison", "holds"),
    [
        (1.0, 1.0, ">=", True),
        (0.9, 1.0, ">=", False),
        (1.0, 1.0, "<=", True),
        (1.1, 1.0, "<=", False),
        (0.5, (0.5, 0.6), "between", True),
        (0.61, (0.5, 0.6), "between", False),
        (float("nan"), 0.0, ">=", False),
        (float("nan"), 0.0, "<=", False),
    ],
)
def test_claim_holds(measured, bound, comparison, holds):
    assert Claim("it", measured, bound, comparison).holds is holds


@pytest.mark.parametrize(
    ("bound", "comparison"), [(1.0, "between"), ((0.0, 1.0), ">="), (1.0, "=="), ((0.0, 1.0), "<=")]
)
def test_claim_rejects_a_bound_that_does_not_fit(bound, comparison):
    with pytest.raises(ValueError, match=r"bound|comparison"):
        Claim("it", 0.5, bound, comparison)


def test_a_study_without_claims_or_with_one_missed_does_not_hold():
    held, missed = Claim("a", 1.0, 0.5), Claim("b", 0.1, 0.5)
    assert StudyResult("s", "t", (held,), 0.0).holds
    assert not StudyResult("s", "t", (), 0.0).holds
    assert not StudyResult("s", "t", (held,), 0.0, error="boom").holds
    both = StudyResult("s", "t", (held, missed), 0.0)
    assert not both.holds and both.verdict == "1 of 2 claims not held"


def test_study_collects_claims_notes_and_arguments():
    @study_of("s311")
    def body(quick, random_state):
        yield f"quick={quick}"
        yield Claim("seed", float(random_state), 7.0)

    result = body(quick=True, random_state=7)
    assert result.holds and result.quick and result.notes == ("quick=True",)
    assert not body(random_state=6).holds
    assert result.title == "Further Generalizations of the Jaccard Index"
    assert result.seconds >= 0.0


def test_a_study_that_raises_is_reported_as_failed(monkeypatch):
    def broken(quick, random_state):
        raise ZeroDivisionError("no data")

    monkeypatch.setattr(Method, "load_study", lambda self: broken)
    seen = []
    (result,) = run_all(quick=True, ids=["s311"], progress=seen.append)
    assert seen == [result]
    assert not result.holds and "ZeroDivisionError: no data" in result.verdict
    assert "ZeroDivisionError: no data" in to_markdown([result])


def test_unknown_ids_are_an_error():
    with pytest.raises(ValueError, match="no system 's000'"):
        run("s000")
    with pytest.raises(ValueError, match="no system 's000'"):
        run_all(ids=["s000"])


def test_the_page_shows_each_claim():
    claim = Claim("|r| of a | b", 0.25, (0.1, 0.2), "between", 0.3, "Pearson", "n = 5")
    page = to_markdown([StudyResult("s311", "A title", (claim,), 1.25, ("A note.",), quick=True)])
    assert "0 of 1 studies hold" in page
    assert r"| \|r\| of a \| b (n = 5) | 0.25 | 0.1 to 0.2 | 0.3 Pearson | **no** |" in page
    assert "- A note." in page and "(quick form)" in page


@dataclass
class Pair:
    label: str
    values: np.ndarray


class Estimator:
    def __init__(self, k=3):
        self.k = k

    def fit(self, X):
        self.mean_, self.k_used_ = X.mean(axis=0), 0
        return self


def test_scrambled_keeps_shapes_and_loses_values():
    values = np.linspace(5.0, 6.0, 12).reshape(3, 4)
    whole = {"pair": Pair("kept", values), "both": (values[0], 3), "flags": np.ones(50, dtype=bool)}
    noise = scrambled(lambda: whole)()
    assert noise["pair"].label == "kept" and noise["pair"].values.shape == (3, 4)
    assert np.abs(noise["pair"].values).max() <= 1.0
    assert isinstance(noise["both"], tuple) and noise["both"][0].shape == (4,)
    assert noise["flags"].dtype == bool and not noise["flags"].all()
    assert np.array_equal(whole["pair"].values, values)


def test_scrambled_estimators_lose_what_they_fitted():
    model = scrambled(Estimator)(k=5).fit(np.full((4, 2), 9.0))
    assert isinstance(model, Estimator) and model.k == 5
    assert model.mean_.shape == (2,) and np.abs(model.mean_).max() <= 1.0


def test_the_room_exports_its_frame():
    assert set(studies.__all__) <= set(dir(studies))


def test_a_page_is_renewed_in_part():
    def result(id, value):
        return StudyResult(id, f"Title | of {id}", (Claim("accuracy", value, 0.8),), 1.0)

    page = to_markdown([result("s311", 0.9), result("s215", 0.1)]) + "\n## showdown\n\nkept\n"
    again = renew(page, [result("s215", 0.95), result("s111", 0.99)])
    assert "3 of 3 studies hold" in again
    assert again.count("## s215") == again.count("## s311") == again.count("## s111") == 1
    assert "| accuracy | 0.95 |" in again and "| accuracy | 0.1 |" not in again
    assert again.rstrip().endswith("kept")
    assert renew(again, []) == again
    assert renew(to_markdown([result("s311", 0.9)]), [result("s311", 0.9)]) == to_markdown([result("s311", 0.9)])
