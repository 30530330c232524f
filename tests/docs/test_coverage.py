"""Every public name says what it is, and every function and estimator shows how it is used."""

import inspect

import pytest
from rooms import packages, public_objects

PUBLIC = {name: item for package in packages() for name, item in public_objects(package).items()}

WITHOUT_EXAMPLE = {
    "covey.partition.run_party": "needs a process for each party; the README shows it",
    "covey.studies.run": "takes seconds to minutes; `covey study run` in a shell is its use",
    "covey.studies.run_all": "takes minutes",
    # older than this rule: an example in the docstring takes the name from this list
    "covey.engine.resolve": "",
    "covey.measure.get": "",
    "covey.measure.register": "",
    "covey.partition.defence_cost": "",
    "covey.partition.load_party": "",
    "covey.partition.read_manifest": "",
}


def shows_its_use(item):
    """Functions, estimators and networks; data classes, protocols and exceptions come from functions that show them."""
    if inspect.isclass(item):
        return hasattr(item, "fit") or hasattr(item, "forward")
    return callable(item) and not hasattr(item, "__origin__")


def has_example(item):
    return "Examples\n--------" in (inspect.getdoc(item) or "")


NAMED = [name for name, item in PUBLIC.items() if inspect.isclass(item) or inspect.isroutine(item)]


@pytest.mark.parametrize("name", NAMED)
def test_docstring_says_what_it_is(name):
    first = (inspect.getdoc(PUBLIC[name]) or "").partition("\n\n")[0]
    assert first.rstrip().endswith((".", "?", ":"))


@pytest.mark.parametrize("name", [name for name, item in PUBLIC.items() if shows_its_use(item)])
def test_docstring_has_an_example(name):
    assert name in WITHOUT_EXAMPLE or has_example(PUBLIC[name])


def test_names_without_an_example_are_public_and_still_have_none():
    assert set(WITHOUT_EXAMPLE) <= set(PUBLIC)
    assert not [name for name in WITHOUT_EXAMPLE if has_example(PUBLIC[name])]
