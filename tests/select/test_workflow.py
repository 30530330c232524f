"""The workflow: forward selection, its tables, cohorts, groups, kinds of columns and targets, bad input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from covey.select import AssociationRanker, BlackBoxWorkflow, forward_selection

MODELS = {"linear": LogisticRegression(), "tree": (DecisionTreeClassifier(), {"max_depth": [2, 3]})}
SMALL = {"models": MODELS, "n_features": 3, "cv": 3, "n_repeats": 3, "n_permutations": 4}


def planted(n=240, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    x[:, 5] = x[:, 1] + 0.1 * rng.normal(size=n)
    return x, 2 * x[:, 1] - x[:, 3] + 0.3 * rng.normal(size=n)


def test_forward_selection_is_that_of_the_definition():
    x, y = planted()
    folds = list(KFold(4).split(x))
    path = forward_selection(Ridge(), x, y, 3, folds)
    chosen = []
    for column, score in zip(path.order, path.gains):
        means = [
            -np.inf if j in chosen else cross_val_score(Ridge(), x[:, [*chosen, j]], y, cv=folds).mean()
            for j in range(6)
        ]
        assert column == np.argmax(means) and score == pytest.approx(max(means))
        chosen.append(column)


def test_forward_selection_stops_where_the_score_does_not_rise():
    x, y = planted()
    assert len(forward_selection(Ridge(), x, y, 6, min_gain=0.02).order) == 2
    assert len(forward_selection(Ridge(), x, y, 1).order) == 1


def test_forward_selection_of_groups_and_classes():
    x, y = planted()
    path = forward_selection(LogisticRegression(), x, y > 0, 2, owner=[2, 0, 1, 1, 3, 0])
    assert path.order == (0, 1)
    assert path.gains[1] > 0.95
    with pytest.raises(ValueError, match="k must be at least 1"):
        forward_selection(Ridge(), x, y, 0)
    with pytest.raises(ValueError, match="do not match"):
        forward_selection(Ridge(), x, y[:5])


def test_tables_of_a_run():
    x, y = planted()
    labels = np.where(y > 0, "sick", "well")
    report = BlackBoxWorkflow(**SMALL).run(x[:180], labels[:180], external={"other": (x[180:], labels[180:])})
    assert set(report.selected) >= {"x3"} and {"x1", "x5"} & set(report.selected)
    assert report.selection["column"] == list(report.selected)
    assert report.metrics["cohort"].count("other") == 4
    assert report.metrics["n_rows"][-1] == 60
    assert [m.name for m in report.models] == ["linear", "tree"] and report.models[1].parameters["max_depth"] in (2, 3)
    linear = report.models[0]
    from covey.table import read

    probability = linear.model.predict_proba(linear.encode(read(x[180:])))[:, 1]
    assert report.metric("linear", "auc", "other") == pytest.approx(roc_auc_score(labels[180:] == "well", probability))
    assert np.isnan(report.metric("linear", "auc", "nowhere"))
    assert report.comparisons["first"] == ["linear"] * 4
    assert min(report.comparisons["pvalue"]) < 0.05
    assert report.comparisons["adjusted_pvalue"] == report.comparisons["pvalue"]  # one pair, nothing to adjust
    assert len(report.importances["column"]) == 2 * len(report.selected)
    assert report.rank_correlation("linear") > 0.4
    signs = dict(zip(report.importances["column"][:3], report.importances["direction"][:3]))
    assert signs["x3"] > 0.4  # "well" for large values
    assert set(report.aspects["rank"]) <= {1, 2, 3}
    page = report.to_markdown()
    assert page.startswith("# Models") and page.count("\n## ") == 7 and "| linear | other | auc |" in page
    assert set(report.to_dict()) >= {"selected", "metrics", "aspects"}


def test_a_run_is_the_same_again():
    x, y = planted()
    forest = {"models": {"forest": RandomForestClassifier(10)}}
    a, b, c = (BlackBoxWorkflow(**SMALL | forest, random_state=s).run(x, y > 0).to_dict() for s in (1, 1, 2))
    assert a == b and a != c


@pytest.mark.parametrize("selector", [None, SelectKBest(k=2), AssociationRanker(), "two"])
def test_selectors(selector):
    x, y = planted()
    if selector == "two":
        selector = {"association": AssociationRanker(), "best": SelectKBest(k=2)}
    report = BlackBoxWorkflow(**SMALL | {"selector": selector}).run(x, y > 0)
    assert len(report.selected) <= (6 if selector is None else 3)
    assert {"x1", "x5"} & set(report.selected)
    assert report.selection["step"] == []


def test_numbers_as_target():
    x, y = planted()
    models = {"linear": Ridge(), "forest": RandomForestRegressor(20)}
    report = BlackBoxWorkflow(**SMALL | {"models": models}).run(x[:200], y[:200], external=[(x[200:], y[200:])])
    assert report.metric("linear", "r2", "external 1") > 0.9
    assert report.metric("linear", "mean_absolute_error") < 0.5
    assert report.rank_correlation("forest", "shapley", "natural") > 0.4


def test_three_classes_and_a_machine_without_probabilities():
    x, y = planted()
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-1, 1])]
    report = BlackBoxWorkflow(**SMALL | {"models": {"kernel": SVC(), "linear": LogisticRegression()}}).run(x, labels)
    assert report.metric("kernel", "auc") > 0.9 and report.metric("linear", "accuracy") > 0.8
    assert np.isnan(report.rank_correlation("kernel", "shapley", "natural"))


def test_mixed_columns_and_a_cohort_that_codes_them_otherwise():
    rng = np.random.default_rng(0)
    town = rng.choice(["Bern", "Oslo", "Rome"], size=300)
    frame = pd.DataFrame({"town": town, "x": rng.normal(size=300), "noise": rng.normal(size=300), "same": 1.0})
    frame.loc[::9, "x"] = np.nan
    y = (town == "Rome") * 2 + frame["x"].fillna(0) + 0.1 * rng.normal(size=300) > 0.7
    other = frame[200:].copy()
    other["town"] = other["town"].replace("Bern", "Aarau")  # unknown, and first in the alphabet
    report = BlackBoxWorkflow(**SMALL).run(
        frame[:200], y[:200], external=[(other[["noise", "town", "same", "x"]], y[200:])]
    )
    assert set(report.selected[:2]) == {"town", "x"}
    assert report.metric("linear", "auc", "external 1") > 0.9
    aspects = dict(zip(report.aspects["aspect"], report.aspects["permutation"]))
    assert aspects["town"] > 0.05


def test_groups_stay_together_and_widen_errors():
    x, y = planted(160)
    x, y, subject = np.repeat(x, 3, axis=0), np.repeat(y, 3), np.repeat(np.arange(160), 3)
    alone = BlackBoxWorkflow(**SMALL).run(x, y > 0)
    together = BlackBoxWorkflow(**SMALL).run(x, y > 0, groups=subject)
    assert together.metrics["n_rows"][0] % 3 == 0
    errors = [
        [e for e, m in zip(r.metrics["error"], r.metrics["metric"]) if m == "accuracy"] for r in (alone, together)
    ]
    assert np.mean(errors[1]) > np.mean(errors[0])


@pytest.mark.slow
def test_breast_cancer_with_all_models():
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    report = BlackBoxWorkflow(n_features=4, cv=3, n_repeats=2, n_permutations=4).run(x, y)
    assert min(report.metric(m.name, "auc") for m in report.models) > 0.9
    assert len(report.models) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": {}}, "models is empty"),
        ({"models": {"ridge": Ridge()}}, "asks for a classifier, but model 'ridge'"),
        ({"selector": "backward"}, "selector must be 'forward'"),
        ({"test_size": 0.9}, "test_size must be in"),
        ({"n_features": 0}, "n_features must be at least 1"),
        ({"cv": 1}, "cv must be at least 2"),
        ({"n_repeats": 0}, "n_repeats must be at least 1"),
        ({"n_permutations": 5}, "even number"),
    ],
)
def test_wrong_parameters(change, message):
    x, y = planted(60)
    with pytest.raises(ValueError, match=message):
        BlackBoxWorkflow(**SMALL | change).run(x, y > 0)


def test_wrong_data():
    x, y = planted(60)
    run = BlackBoxWorkflow(**SMALL).run
    with pytest.raises(ValueError, match="same rows"):
        run(x, y[:9] > 0)
    with pytest.raises(ValueError, match="single class"):
        run(x, np.ones(60, dtype=bool))
    with pytest.raises(ValueError, match="no column of X varies"):
        run(np.ones((60, 2)), y > 0)
    with pytest.raises(ValueError, match="groups has 3 entries"):
        run(x, y > 0, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="cohort 'there' lacks the columns 'x5'"):
        run(x, y > 0, external={"there": (x[:, :5], y > 0)})
    with pytest.raises(ValueError, match="cohort 'there': X has 60 rows and y has 5"):
        run(x, y > 0, external={"there": (x, y[:5] > 0)})
    with pytest.raises(ValueError, match="classes that the training rows lack: maybe"):
        run(x, y > 0, external={"there": (x, ["maybe"] * 60)})
    with pytest.raises(ValueError, match="'internal' is the name"):
        run(x, y > 0, external={"internal": (x, y > 0)})
