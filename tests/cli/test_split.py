"""covey split: every way to spread columns, what is written, and one line for every mistake."""

from __future__ import annotations

import json
from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.cli.toy import N_ROWS, NAMES, classes, features, run, write_csv


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("data") / "t.csv")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "split"


@pytest.fixture
def split(capsys, table, out):
    """Split and return what was said, as a person (`page`) or a program (`--json`) sees it."""

    def call(*options, source=table):
        return run(capsys, "split", source, "--out", out, *options)

    return call


def quick(split, *options, **source):
    ran = split("--json", "--no-page", *options, **source)
    assert ran.code == 0, ran.err
    return ran.json


def columns(said):
    return [party["columns"] for party in said["parties"]]


def every(parties):
    return list(chain.from_iterable(parties))


def manifest(out):
    return json.loads((out / "split.json").read_text(), parse_constant=pytest.fail)


def held_in_files(out):
    return [pq.read_schema(out / party["file"]).names[1:] for party in manifest(out)["parties"]]


# --- ways to spread


def test_four_parties_get_random_columns_by_default(split, out):
    said = quick(split)
    assert said["facts"]["split"] == "at random"
    assert sorted(map(len, columns(said))) == [1, 1, 2, 2]
    assert sorted(every(columns(said))) == sorted(NAMES)
    assert held_in_files(out) == columns(said)


def test_the_seed_settles_a_split(split):
    first, second, other = (columns(quick(split, "-k", "2", "--seed", seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_alpha(split):
    uneven, even = (quick(split, "-k", "3", "--alpha", alpha) for alpha in (0.3, 100))
    assert sorted(map(len, columns(even))) == [2, 2, 2]
    assert sorted(map(len, columns(uneven))) == [1, 1, 4]
    assert uneven["facts"]["alpha"] == 0.3


def test_beta_moves_correlated_columns_apart(split):
    together, apart = (quick(split, "-k", "3", "--beta", beta, "--sizes", "2,2,2") for beta in (0, 1))
    assert sorted(map(sorted, columns(together))) == [["bank_a", "bank_b"], ["shop_c", "shop_d"], ["tel_e", "tel_f"]]
    assert not any({"bank_a", "bank_b"} <= set(held) or {"shop_c", "shop_d"} <= set(held) for held in columns(apart))
    assert together["facts"]["icor"] < apart["facts"]["icor"]
    assert (together["facts"]["beta_reached"], apart["facts"]["beta_reached"]) == (0.0, 1.0)


def test_alpha_and_beta_together(split):
    facts = quick(split, "-k", "2", "--alpha", "1", "--beta", "1")["facts"]
    assert facts["alpha"] == 1.0 and facts["alpha_reached"] == pytest.approx(1.0, rel=0.5)
    assert facts["icor_error"] == pytest.approx(abs(facts["icor"] - facts["icor_bounds"][1]))


def test_sizes_say_how_many_parties_there_are(split, out):
    assert list(map(len, columns(quick(split, "--beta", "0", "--sizes", "1,2,3")))) == [1, 2, 3]
    assert list(map(len, held_in_files(out))) == [1, 2, 3]


def test_the_measure_of_correlation_is_kept(split, out):
    assert quick(split, "-k", "2", "--beta", "0", "--correlation", "pearson")["facts"]["correlation"] == "pearson"
    assert manifest(out)["facts"]["correlation"] == "pearson"


def test_categories_are_correlated_with_numbers(split, tmp_path):
    colours = write_csv(tmp_path / "c.csv", colour=["rgb"[i % 3] for i in range(N_ROWS)], label=classes())
    said = quick(split, "-k", "2", "--beta", "0.5", source=colours)
    assert said["facts"]["correlation"] == "auto"
    assert "colour" in every(columns(said))


def test_prefix(split):
    said = quick(split, "--prefix", "_")
    assert [party["name"] for party in said["parties"]] == ["bank", "shop", "tel"]
    assert columns(said)[1] == ["shop_c", "shop_d"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.json", '{"us": ["bank_a", "tel_e"], "them": ["shop_c"]}'),
        ("m.csv", "feature,party\nbank_a,us\ntel_e,us\nshop_c,them\n"),
        ("m.csv", "\ufefffeature,party\nbank_a,us\ntel_e,us\nshop_c,them\n"),
    ],
)
def test_mapping(split, tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    ran = split("--mapping", tmp_path / name)
    assert ran.code == 0
    assert "3 columns over 2 parties" in " ".join(ran.out.split())
    assert "them" in ran.out
    assert "held by no party: bank_b, shop_d, tel_f" in ran.err


# --- the label


def test_the_target_is_guessed_by_its_name_and_that_is_told(split, tmp_path):
    named = write_csv(tmp_path / "n.csv", Label=classes(), last=range(N_ROWS))
    ran = split("--json", "--no-page", source=named)
    assert ran.json["target"] == "Label"
    assert "target: 'Label' (--target names another" in ran.err


def test_the_last_column_is_the_target_where_no_name_says_so(split, tmp_path):
    other = write_csv(tmp_path / "o.csv", colour=range(N_ROWS), verdict=classes())
    assert quick(split, source=other)["target"] == "verdict"


def test_a_named_target_is_taken_without_a_word(split, out):
    ran = split("--json", "--no-page", "--target", "tel_e")
    assert ran.json["target"] == "tel_e"
    assert not ran.err
    assert pq.read_schema(out / "labels.parquet").names == ["row_id", "tel_e"]
    assert "tel_e" not in every(held_in_files(out))


def test_without_a_target_all_columns_are_spread(split, out):
    said = quick(split, "--no-target", "-k", "2")
    assert said["target"] is None
    assert "class" in every(columns(said))
    assert manifest(out)["label"]["column"] == ""
    assert not (out / "labels.parquet").exists()


def test_any_party_may_hold_the_label(split, out):
    ran = split("--prefix", "_", "--label-party", "2")
    assert "tel holds the label 'class'" in ran.out
    assert manifest(out)["label"]["party"] == 2


def test_rows_without_a_label_are_left_out_and_counted(split, out, tmp_path):
    labels = ["" if i % 10 == 0 else label for i, label in enumerate(classes())]
    ran = split("--no-page", "-k", "2", source=write_csv(tmp_path / "g.csv", label=labels))
    assert ran.code == 0
    assert "16 rows without a label left out" in ran.err
    assert pq.read_table(out / "party-1.parquet").num_rows == N_ROWS - 16


# --- sources and what is written


def test_an_archive_of_x_and_y(split, tmp_path):
    np.savez(tmp_path / "xy.npz", X=features(), y=np.arange(N_ROWS) % 2)
    said = quick(split, "-k", "2", source=tmp_path / "xy.npz")
    assert said["target"] == "target"
    assert sorted(every(columns(said))) == [f"x{j}" for j in range(6)]


def test_an_archive_of_one_array(split, tmp_path):
    np.savez(tmp_path / "a.npz", a=features())
    assert len(every(columns(quick(split, "--no-target", source=tmp_path / "a.npz")))) == 6


def test_a_data_set_by_its_name(split):
    said = quick(split, "--sample", "50", source="wine")
    assert (said["target"], said["facts"]["rows"], said["facts"]["source"]) == ("target", 50, "wine")
    assert len(every(columns(said))) == 13


def test_a_sample_of_rows(split, out):
    assert quick(split, "-k", "2", "--sample", "40")["facts"]["rows"] == 40
    assert pq.read_table(out / "labels.parquet").num_rows == 40


def test_the_page_draws_the_split(split, out):
    ran = split("-k", "3", "--beta", "0.5")
    assert ran.code == 0
    page = (out / "split.html").read_text()
    assert all(word in page for word in (*NAMES, "party-2", "t.csv over 3 parties", "Icor"))
    assert "drawn in split.html" in ran.out


def test_no_page(split, out):
    assert "split.html" not in split("-k", "3", "--no-page").out
    assert not (out / "split.html").exists()


def test_a_person_reads_who_holds_what(split, out):
    text = split("-k", "2", "--beta", "1", "--no-page").out
    assert "6 columns over 2 parties" in " ".join(text.split())
    assert "beta reached: 1" in text
    assert "party-0 holds the label 'class'" in text
    assert str(out.resolve()) in text


@pytest.mark.parametrize("options", [("-k", "3", "--alpha", "1000"), ("-k", "6", "--beta", "0.5")])
def test_undefined_facts_are_null_for_programs(split, out, options):
    """Three equal parties have no finite alpha, six of one column no reach of Icor."""
    facts = quick(split, *options)["facts"]
    assert facts["alpha_reached" if "alpha" in facts else "beta_reached"] is None
    assert manifest(out)["facts"] == facts


def test_constant_and_empty_columns_are_told_and_kept(split, out, tmp_path):
    odd = write_csv(tmp_path / "odd.csv", flat=[5] * N_ROWS, void=[""] * N_ROWS, label=classes())
    ran = split("--json", "--no-page", "-k", "2", "--beta", "0.5", source=odd)
    assert ran.code == 0
    assert "covey: note: correlations of 'flat', 'void' with all others are undefined" in ran.err
    assert {"flat", "void"} <= set(every(held_in_files(out)))


def test_gaps_stay_gaps(split, out, tmp_path):
    gaps = ["" if i % 3 == 0 else i for i in range(N_ROWS)]
    assert split("-k", "1", "--no-page", source=write_csv(tmp_path / "g.csv", gaps=gaps, label=classes())).code == 0
    assert pq.read_table(out / "party-0.parquet")["gaps"].null_count == len(range(0, N_ROWS, 3))


# --- mistakes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "7"], ["7 parties cannot share 6"]),
        (["-k", "7", "--alpha", "1"], ["7 parties cannot share 6"]),
        (["-k", "7", "--beta", "1"], ["7 parties cannot share 6"]),
        (["-k", "0"], ["--parties"]),
        (["-k", "two"], ["--parties"]),
        (["--beta", "1.01"], ["beta must be from 0", "1.01"]),
        (["--beta", "-0.5"], ["beta must be from 0", "-0.5"]),
        (["--beta", "nan"], ["beta must be from 0", "nan"]),
        (["--alpha", "0"], ["alpha must be above 0", "0.0"]),
        (["--alpha", "-1"], ["alpha must be above 0", "-1"]),
        (["--alpha", "nan"], ["alpha must be above 0", "nan"]),
        (["--alpha", "0", "--beta", "0.5"], ["alpha must be above 0"]),
        (["-k", "1", "--beta", "0.5"], ["n_parties must be at least 2"]),
        (["-k", "2", "--beta", "0", "--sizes", "3,4"], ["sum to 6", "[3, 4]"]),
        (["-k", "2", "--beta", "0", "--sizes", "1,2,3"], ["2 numbers", "[1, 2, 3]"]),
        (["--beta", "0", "--sizes", "3,three"], ["--sizes 3,three", "10,20,34"]),
        (["--sizes", "3,3"], ["sizes go with beta alone"]),
        (["--alpha", "1", "--beta", "0", "--sizes", "3,3"], ["sizes go with beta alone"]),
        (["--alpha", "1", "--correlation", "pearson"], ["correlation goes with beta"]),
        (["--beta", "0", "--correlation", "telepathy"], ["no measure 'telepathy'"]),
        (["--prefix", "_", "--beta", "0.5"], ["--prefix and --beta contradict"]),
        (["--prefix", "_", "--parties", "3"], ["--prefix and --parties contradict"]),
        (["--prefix", "_", "--sizes", "2,4"], ["--prefix and --sizes contradict"]),
        (["--prefix", "_", "--mapping", "m.csv"], ["--prefix and --mapping contradict"]),
        (["--prefix", "!"], ["'bank_a' has no prefix before '!'"]),
        (["--mapping", "nowhere.csv"], ["nowhere.csv"]),
        (["--target", "colour"], ["no column 'colour'", "'class'"]),
        (["--target", "class", "--no-target"], ["--target and --no-target contradict"]),
        (["--label-party", "4"], ["label holder", "0 to 3"]),
        (["--label-party", "-1"], ["--label-party"]),
    ],
)
def test_a_mistake_is_one_line_and_makes_no_split(split, out, options, words):
    ran = split(*options)
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told
    assert not (out / "split.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.json", "{", ["m.json is not readable as JSON"]),
        ("m.json", '{"us": "bank_a"}', ["m.json must hold an object of party to list"]),
        ("m.json", "{}", ["at least one party"]),
        ("m.json", '{"us": ["bank_a", "bank_a"]}', ["us holds a feature twice"]),
        ("m.json", '{"us": ["colour"]}', ["party 'us'", "no column 'colour'"]),
        ("m.json", '{"us": ["bank_a", "class"]}', ["party 'us' holds the target 'class'"]),
        ("m.csv", "column,owner\nbank_a,us\n", ["m.csv must be a CSV file with the columns feature and party"]),
        ("m.csv", "feature,party\nbank_a,us\nbank_b\n", ["m.csv: entry 2 lacks its feature or its party"]),
        ("m.csv", "feature,party\n", ["m.csv must be a CSV file"]),
    ],
)
def test_a_bad_mapping_is_named(split, out, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    ran = split("--mapping", tmp_path / name)
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no file", "t.csv"]),
        ("", ["t.csv is empty"]),
        ("a,b,class\n", ["no rows"]),
        ("row_id,b,class\n1,2,u\n2,3,v\n", ["has a column 'row_id'", "rename it"]),
        ("a,b,class\n1,2,\n2,3,\n", ["no row has a label in 'class'"]),
        ("class\nu\nv\n", ["no column beside the target 'class'"]),
    ],
)
def test_a_bad_table_is_named(split, out, tmp_path, content, words):
    if content is not None:
        (tmp_path / "t.csv").write_text(content)
    ran = split("-k", "1", source=tmp_path / "t.csv")
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told
    assert not (out / "split.json").exists()


def test_a_failed_split_leaves_the_one_before(split, out):
    quick(split, "-k", "3")
    before = manifest(out)
    assert split("-k", "9").code == 2
    assert manifest(out) == before


def test_the_folder_must_not_be_a_file(capsys, table):
    ran = run(capsys, "split", table, "--out", table)
    assert ran.code == 2
    assert "t.csv" in ran.told
    assert run(capsys, "split", table).told.startswith("covey: Missing option '--out'")
