import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.report._analyse import analyse
from covey.report._material import prepare
from covey.report._subset import MOST_ROWS, recommended_subset
from covey.table import read


def made(n=600, noise=8, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3 + noise))
    y = np.where(x[:, 0] + x[:, 1] - x[:, 2] + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    return {**{f"x{j}": x[:, j] for j in range(x.shape[1])}, "y": y}


def subset_of(columns, **options):
    return recommended_subset(prepare(read(columns), "y", None, LocalEngine(2), 0), **options)


def test_finds_the_columns_that_matter():
    best = subset_of(made())
    assert set(best.columns) == {"x0", "x1", "x2"}
    assert best.scoring == "roc_auc" and best.is_steady
    assert best.score >= best.all_score - best.all_error
    assert set(best.others) == {f"x{j}" for j in range(3, 11)}


def test_numbers_and_many_classes_as_targets():
    columns = made()
    z = columns["x0"] + columns["x1"]
    numbers = subset_of({**columns, "y": z})
    assert numbers.scoring == "r2" and set(numbers.columns[:2]) == {"x0", "x1"} and len(numbers.columns) <= 3
    classes = subset_of({**columns, "y": np.array(list("abc"))[np.digitize(z, [-1, 1])]})
    assert classes.scoring == "accuracy" and set(classes.columns[:2]) == {"x0", "x1"} and len(classes.columns) <= 5


def test_nothing_is_recommended_where_nothing_predicts_or_there_is_little_to_choose():
    rng = np.random.default_rng(1)
    columns = made()
    assert subset_of({**columns, "y": rng.permutation(columns["y"])}) is None
    assert subset_of({name: values[:80] for name, values in columns.items()}) is None
    assert subset_of({name: columns[name] for name in ("x0", "x1", "y")}) is None


def test_what_gives_the_target_away_is_left_aside():
    columns = made()
    given = np.where(columns["y"] == "yes", 1.0, 2.0) + 0.001 * np.random.default_rng(0).normal(size=600)
    best = subset_of({**columns, "given": given}, without=["given"])
    assert set(best.columns) == {"x0", "x1", "x2"} and "given" not in best.others


def test_rare_classes_and_missing_targets_are_left_out():
    columns = made(n=400)
    y = columns["y"].astype(object)
    y[:3], y[3:20] = "rare", None
    best = subset_of({**columns, "y": y})
    assert best.n_rows == 380 and best.scoring == "roc_auc"


def test_neighbours_stay_together_where_rows_are_in_order():
    """A random walk tells where in time a row is, which is no use for other times."""
    rng = np.random.default_rng(0)
    walks = {f"w{j}": np.cumsum(rng.normal(size=1200)) for j in range(4)}
    y = np.where(np.repeat(rng.integers(2, size=24), 50) == 1, "a", "b")
    apart = subset_of({**walks, "y": y}, ordered=True)
    mixed = subset_of({**walks, "y": y}, ordered=False)
    assert mixed is not None and mixed.all_score > 0.9
    assert apart is None or apart.all_score < 0.8


@pytest.mark.parametrize("rare", [14, 30, 200])
def test_rows_sorted_by_their_class(rare):
    """Folds of whole stretches may lack the rare class, in training or test."""
    rng = np.random.default_rng(0)
    walks = {f"w{j}": np.cumsum(rng.normal(size=600)) for j in range(4)}
    y = np.repeat(["a", "b"], [600 - rare, rare])
    best = subset_of({**walks, "y": y}, ordered=True)
    assert (best is None) == (rare < 200)
    if rare == 30:
        assert not [f for f in analyse(read({**walks, "y": y}), "y", LocalEngine(1)).findings if f.kind == "subset"]


def test_targets_of_the_last_rows_alone():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 4))
    y = (x[:, 0] > 0).astype(str).astype(object)
    y[:-150] = None
    assert subset_of({**{f"x{j}": x[:, j] for j in range(4)}, "y": y}, ordered=True).columns == ("x0",)


def test_a_sample_of_many_rows():
    assert subset_of(made(n=5000)).n_rows == MOST_ROWS


@pytest.mark.parametrize("relevant", [True, False])
def test_the_report_tells_it(relevant):
    columns = made()
    if not relevant:
        columns["y"] = np.random.default_rng(1).permutation(columns["y"])
    data = analyse(read(columns), "y", LocalEngine(1))
    told = [finding for finding in data.findings if finding.kind == "subset"]
    assert bool(told) == relevant == (data.subset is not None)
    if relevant:
        assert told[0].title == "3 features of 11 predict y about as well as all"
        assert all(name in told[0].action for name in ("x0", "x1", "x2"))
        assert told[0].evidence["score"] == data.subset.score
