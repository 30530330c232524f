"""Every study of the catalogue: its claims hold, and noise in place of its method does not pass."""

from importlib import import_module

import pytest

from covey.catalogue import methods
from covey.studies import run

ROWS = {method.id: method for method in methods()}


def module_of(method):
    return import_module(method.study.split(":")[0])


@pytest.mark.parametrize("id", ROWS)
def test_every_claim_holds_or_the_row_says_why_not(id):
    result = run(id, quick=True)
    assert not result.error, result.error
    missed = [
        f"{claim.text}: {claim.measured:.4g}, not {claim.bound_text}" for claim in result.claims if not claim.holds
    ]
    assert result.claims
    assert ROWS[id].not_held or not missed, missed


@pytest.mark.parametrize(
    ("id", "attribute"), [(id, name) for id, method in ROWS.items() for name in module_of(method).METHODS]
)
def test_noise_in_place_of_the_method_fails(id, attribute, monkeypatch):
    module = module_of(ROWS[id])
    held = [claim.holds for claim in run(id, quick=True).claims] if ROWS[id].not_held else []
    monkeypatch.setattr(module, attribute, module.METHODS[attribute](getattr(module, attribute)))
    result = run(id, quick=True)
    assert not result.error, result.error
    assert not result.holds
    if held:  # some of it fails anyway: noise must fail what held
        assert any(before and not claim.holds for before, claim in zip(held, result.claims, strict=True))


@pytest.mark.parametrize("id", ROWS)
def test_every_study_names_what_it_studies(id):
    assert module_of(ROWS[id]).METHODS
