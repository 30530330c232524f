"""The catalogue: every row can be loaded, and a wrong row says what is wrong."""

import pytest

from covey.catalogue import get, methods
from covey.catalogue._reader import parse

ROW = """
[s000]
title = "A title"
arxiv = "0000.00000"
year = 2020
room = "measure"
object = "covey.catalogue:get"
study = "covey.catalogue:methods"
summary = "One sentence."
"""


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.id)
def test_every_row_imports(method):
    assert all(callable(found) for found in method.load_all())
    assert method.load() is method.load_all()[0]
    assert callable(method.load_study())
    assert method.url.startswith("https://")
    assert all(path.startswith(f"covey.{method.room}") for path in method.objects)


def test_get_finds_a_row_and_names_near_ones():
    assert get("s311").arxiv == "2110.09619"
    with pytest.raises(ValueError, match=r"no system 's311x'.*s311"):
        get("s311x")


def test_parse_reads_one_object_or_a_list():
    assert parse(ROW)["s000"].objects == ("covey.catalogue:get",)
    both = ROW.replace('"covey.catalogue:get"', '["covey.catalogue:get", "covey.catalogue:methods"]')
    assert [found.__name__ for found in parse(both)["s000"].load_all()] == ["get", "methods"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('title = "A title"\n', ""), "s000 lacks title"),
        (("object =", "objects ="), "the objects as 'object'"),
        (("year = 2020", 'year = "2020"'), "year must be of type int"),
        (("summary =", "sumary = 'x'\nsummary ="), "unknown field 'sumary'"),
        (('arxiv = "0000.00000"\n', ""), "either arxiv or doi"),
        (("arxiv =", 'doi = "10.1/2"\narxiv ='), "either arxiv or doi"),
        (("covey.catalogue:get", "covey.catalogue.get"), "not of the form"),
        (("covey.catalogue:get", "os:getcwd"), "not of the form"),
        (("[s000]", "s001 = 3\n[s000]"), "s001 must be a table"),
        (("[s000]", "[s000]\n[s000]"), "not valid TOML"),
    ],
)
def test_a_wrong_row_says_what_is_wrong(change, message):
    assert change[0] in ROW
    with pytest.raises(ValueError, match=message):
        parse(ROW.replace(*change))


def test_a_row_whose_object_is_missing_says_so():
    row = parse(ROW.replace("catalogue:get", "catalogue:absent"))["s000"]
    with pytest.raises(ValueError, match=r"s000 names 'covey.catalogue:absent'"):
        row.load()
