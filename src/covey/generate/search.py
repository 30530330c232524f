"""OpenFE: candidate features by operators on typed columns, scored by what they add to a model, halved, ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.utils.validation import check_is_fitted

from covey.engine import Engine, LocalEngine, resolve
from covey.generate import _boosting as boosting
from covey.generate._boosting import Coded, Coder, Problem, Task
from covey.generate._input import checked, listed, read_as, read_like, target
from covey.generate.expression import (
    Call,
    Evaluator,
    Expression,
    SomeRows,
    State,
    Variable,
    apply_expressions,
    call,
    fit_expressions,
    identifier,
    parse,
    sql_of,
)
from covey.generate.operators import Groups, Unseen
from covey.measure._crossfit import out_of_fold
from covey.table import FeatureTable, atomic_write

Array = NDArray[np.float64]
RandomState = int | np.random.Generator | None
Booster = Literal["trees", "lightgbm", "sklearn"]

UNARY = ("abs", "log", "sqrt", "square", "sigmoid", "round", "residual")
BINARY = ("min", "max", "+", "-", "*", "/")
BY = ("min by", "max by", "mean by", "median by", "std by", "rank by")
OPERATORS = ("freq", *UNARY, *BINARY, *BY, "combine", "freq combine", "nunique by")
FORMAT = "covey.generate.OpenFE 1"  # of saved features
AT_ONCE, ROWS_AT_ONCE = 32, 1_000_000  # candidates that are made and scored together, and their values
LEAST_BLOCK = 1000  # rows below which a block tells too little to drop a candidate
FEW_ROWS = 5000  # below this, the joint model is grown once for each part of the rows held out
USUAL = 128  # two to the power of it: targets that deviate so far, or so little, get other units for the search
SURE = 2.5  # standard errors by which new features must lower the held-out loss; the best of several sizes is taken
TAIL = 0.01  # of the rows at either end that are pulled in: a few far rows would hide what most of them gain


@dataclass(frozen=True, eq=False)
class Columns:
    """What candidates are made of.

    Parameters
    ----------
    numeric : tuple of str
    categorical : tuple of str
        Words, and numbers of few distinct values, which are in both.
    flags : frozenset of str
        Columns of 0 and 1, of which operators of one number make nothing new.
    negative, whole : frozenset of str
        Numeric columns with values below 0; of whole numbers only.
    unique : frozenset of str
        Columns in which a value is hardly ever repeated.

    Examples
    --------
    >>> import covey
    >>> table = covey.read({"pay": [1.5, -2.0, 0.5, 0.5], "kids": [0, 2, 1, 0], "city": ["a", "b", "b", "a"]})
    >>> columns = Columns.of(table, table.names, max_ordinal=3)
    >>> columns.categorical, sorted(columns.negative), sorted(columns.whole)
    (('pay', 'kids', 'city'), ['pay'], ['kids'])
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    flags: frozenset[str]
    negative: frozenset[str]
    whole: frozenset[str]
    unique: frozenset[str]

    @classmethod
    def of(cls, table: FeatureTable, names: Sequence[str], max_ordinal: int = 100) -> Columns:
        """The columns called `names`, by their values in the table."""
        values = Evaluator(table.column, State())
        numeric: list[str] = []
        categorical: list[str] = []
        facts: dict[str, list[str]] = {"flags": [], "negative": [], "whole": [], "unique": []}
        for name in names:
            groups = values.groups(Variable(name))
            n_present = int(np.count_nonzero(groups.codes >= 0))
            if groups.n_groups > n_present / 2:
                facts["unique"].append(name)
            key = groups.keys[0]
            if key.dtype == object:
                categorical.append(name)
                continue
            numeric.append(name)
            if groups.n_groups <= max_ordinal:
                categorical.append(name)
            for fact, holds in (
                ("flags", groups.n_groups <= 2),
                ("negative", bool((key < 0).any())),
                ("whole", bool((key == np.floor(key)).all())),
            ):
                if holds:
                    facts[fact].append(name)
        return cls(tuple(numeric), tuple(categorical), **{name: frozenset(found) for name, found in facts.items()})


def first_order_candidates(columns: Columns, operators: Sequence[str] = OPERATORS) -> list[Expression]:
    """Every operator on every column or pair of columns of fitting kinds.

    All columns: ``freq``. Numbers: ``abs``, ``log``, ``sqrt`` (of the absolute value where there are negative ones),
    ``square``, ``sigmoid``, ``round``, ``residual``. Pairs of numbers: ``min``, ``max``, ``+ - * /`` (both ways round).
    A number and a category: its ``min``, ``max``, ``mean``, ``median``, ``std`` and ``rank`` within the category.
    Pairs of categories: ``combine``, the frequency of the pair (``"freq combine"``), and ``nunique`` of one within the
    other.

    Parameters
    ----------
    columns : Columns
    operators : sequence of str
        Of the names above; a statistic within groups is called ``"mean by"``.

    Raises
    ------
    ValueError
        If there is no such operator.

    Examples
    --------
    >>> import covey
    >>> table = covey.read({"pay": [1.5, -2.0, 0.5], "age": [30.0, 40.0, 50.0], "city": ["a", "b", "b"]})
    >>> found = first_order_candidates(Columns.of(table, table.names), ("log", "/", "mean by"))
    >>> print(*found[:5], sep="; ")
    log(abs(pay)); log(age); (pay / age); (age / pay); mean(age by pay)
    """
    unknown = [name for name in operators if name not in OPERATORS]
    if unknown:
        raise ValueError(f"no operators {listed(unknown)}; choose from {', '.join(OPERATORS)}")
    found = [*_of_one(columns, operators), *_of_numbers(columns, operators), *_of_groups(columns, operators)]
    return list(dict.fromkeys(found))


def _of_one(columns: Columns, operators: Sequence[str]) -> Iterator[Expression]:
    if "freq" in operators:
        for name in dict.fromkeys((*columns.numeric, *columns.categorical)):
            if name not in columns.unique and name not in columns.flags:
                yield call("freq", name)
    for operator in UNARY:
        if operator not in operators:
            continue
        for name in columns.numeric:
            if name in columns.flags or (operator in ("round", "residual") and name in columns.whole):
                continue
            if operator == "abs" and name not in columns.negative:
                continue
            positive = operator not in ("log", "sqrt") or name not in columns.negative
            yield call(operator, name if positive else call("abs", name))


def _of_numbers(columns: Columns, operators: Sequence[str]) -> Iterator[Expression]:
    chosen = [operator for operator in BINARY if operator in operators]
    for i, a in enumerate(columns.numeric):
        for b in columns.numeric[i + 1 :]:
            for operator in chosen:
                yield call(operator, a, b)
            if "/" in chosen:
                yield call("/", b, a)


def _of_groups(columns: Columns, operators: Sequence[str]) -> Iterator[Expression]:
    chosen = [operator for operator in BY if operator in operators]
    for group in columns.categorical:
        for name in columns.numeric:
            if name != group:
                yield from (call(operator, name, group) for operator in chosen)
    for i, a in enumerate(columns.categorical):
        for b in columns.categorical[i + 1 :]:
            if "combine" in operators:
                yield call("combine", a, b)
            if "freq combine" in operators:
                yield call("freq", call("combine", a, b))
            if "nunique by" in operators:
                yield call("nunique by", a, b)
                yield call("nunique by", b, a)


class FeatureBoostScorer(BaseEstimator):
    """How far a candidate and the columns it is made of lower the held-out loss of given scores.

    Feature boosting: with the out-of-fold predictions of a model of all columns as the start, small boosted trees are
    fitted on the candidate and its columns. Their gain, loss at the start less the least held-out loss, is the score.

    Parameters
    ----------
    booster : {"trees", "lightgbm", "sklearn"}
        covey's own trees; LightGBM; or `HistGradientBoostingRegressor` on Newton steps, for tests of the others.
    n_trees, max_leaves, patience : int
        Of the trees; they stop `patience` trees after the least held-out loss.
    learning_rate : float
    with_columns : bool
        Whether the candidate's columns are given to the trees beside it.
    beyond_columns : bool
        Whether the gain of the same trees on the columns alone is taken off: a sharper order where the start scores
        leave much to the columns, but a candidate that they can nearly replace is lost.

    References
    ----------
    Zhang, Zhang, Fan, Luo, Liu, Liu, Cao and Li (2023), OpenFE: Automated Feature Generation with Expert-level
    Performance. ICML. arXiv:2211.12507.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=600), rng.uniform(1, 3, size=600)
    >>> code = lambda x: Coder.learn(x, False)(x)
    >>> problem = Problem(a / b, np.zeros((600, 1)), 400, 0)
    >>> scorer = FeatureBoostScorer(beyond_columns=True)
    >>> bool(scorer(code(a / b), [code(a), code(b)], problem) > scorer(code(a * b), [code(a), code(b)], problem))
    True
    """

    def __init__(
        self,
        booster: Booster = "trees",
        n_trees: int = 100,
        max_leaves: int = 16,
        patience: int = 3,
        learning_rate: float = 0.1,
        with_columns: bool = True,
        beyond_columns: bool = False,
    ) -> None:
        self.booster = booster
        self.n_trees = n_trees
        self.max_leaves = max_leaves
        self.patience = patience
        self.learning_rate = learning_rate
        self.with_columns = with_columns
        self.beyond_columns = beyond_columns

    def __call__(
        self, candidate: Coded, columns: Sequence[Coded], problem: Problem, without: float | None = None
    ) -> float:
        """The score; `without` is the gain of the columns alone where it is known already."""
        return float(self.scores([candidate], [columns], problem, [without])[0])

    def scores(
        self,
        candidates: Sequence[Coded],
        columns: Sequence[Sequence[Coded]],
        problem: Problem,
        without: Sequence[float | None],
    ) -> Array:
        """The scores of several candidates, shape (n_candidates,); what a search calls."""
        if not self.with_columns:
            return self.gains([[candidate] for candidate in candidates], problem)
        found = self.gains([[candidate, *own] for candidate, own in zip(candidates, columns)], problem)
        if not self.beyond_columns:
            return found
        alone = [self.gain(own, problem) if known is None else known for own, known in zip(columns, without)]
        return found - np.array(alone)

    def gain(self, columns: Sequence[Coded], problem: Problem) -> float:
        """Loss at the start less the least held-out loss of trees on the columns; 0 or more."""
        return float(self.gains([columns], problem)[0])

    def gains(self, sets: Sequence[Sequence[Coded]], problem: Problem) -> Array:
        """`gain` of each set of columns, shape (n_sets,)."""
        if self.booster == "trees":
            settings = (self.n_trees, self.max_leaves, self.learning_rate, self.patience)
            return boosting.gains(sets, problem, *settings)
        if self.booster not in ("lightgbm", "sklearn"):
            raise ValueError(f"booster must be 'trees', 'lightgbm' or 'sklearn', not {self.booster!r}")
        gain = _lightgbm_gain if self.booster == "lightgbm" else _sklearn_gain
        return np.array([gain(self, columns, problem) for columns in sets])


def _lightgbm_gain(scorer: FeatureBoostScorer, columns: Sequence[Coded], problem: Problem) -> float:
    try:
        import lightgbm
    except ImportError:
        raise ImportError("booster='lightgbm' needs LightGBM: pip install lightgbm") from None
    n, x = problem.n_train, np.column_stack([column.values for column in columns])
    objective = {0: "regression", 1: "binary", 2: "multiclass"}[problem.loss]
    settings = {
        "objective": objective,
        "metric": {0: "l2", 1: "binary_logloss", 2: "multi_logloss"}[problem.loss],
        "num_leaves": scorer.max_leaves,
        "learning_rate": scorer.learning_rate,
        "min_data_in_leaf": int(problem.min_rows),
        "num_threads": 1,
        "deterministic": True,
        "seed": 0,
        "verbosity": -1,
    }
    if objective == "multiclass":
        settings["num_class"] = problem.init.shape[1]
    words = [j for j, column in enumerate(columns) if column.categorical]
    init = [rows.ravel(order="F") for rows in (problem.init[:n], problem.init[n:])]
    train = lightgbm.Dataset(x[:n], problem.y[:n], init_score=init[0], categorical_feature=words, free_raw_data=False)
    valid = lightgbm.Dataset(x[n:], problem.y[n:], init_score=init[1], reference=train, free_raw_data=False)
    model = lightgbm.train(
        settings,
        train,
        scorer.n_trees,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(scorer.patience, verbose=False)],
    )
    best = next(iter(model.best_score["valid_0"].values()))
    return max(0.0, _held_out_loss(problem, problem.init) - float(best))


def _sklearn_gain(scorer: FeatureBoostScorer, columns: Sequence[Coded], problem: Problem) -> float:
    """One tree a step, on the Newton target of each output."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    n, x = problem.n_train, np.column_stack([column.values for column in columns])
    words = [column.categorical for column in columns]
    tree = HistGradientBoostingRegressor(
        max_iter=1,
        max_leaf_nodes=scorer.max_leaves,
        learning_rate=scorer.learning_rate,
        min_samples_leaf=int(problem.min_rows),
        early_stopping=False,
        categorical_features=words,
        random_state=0,
    )
    scores = problem.init.copy()
    start = best = _held_out_loss(problem, scores)
    since = 0
    for _ in range(scorer.n_trees):
        gradient, hessian = _derivatives(problem, scores)
        for k in range(scores.shape[1]):
            step = -gradient[:n, k] / hessian[:n, k]
            centre = np.average(step, weights=hessian[:n, k])  # the tree starts from it at full rate
            fitted = tree.fit(x[:n], step - centre, sample_weight=hessian[:n, k])
            scores[:, k] += fitted.predict(x) + scorer.learning_rate * centre
        now = _held_out_loss(problem, scores)
        since = 0 if now < best else since + 1
        best = min(best, now)
        if since >= scorer.patience:
            break
    return start - best


def _derivatives(problem: Problem, scores: Array) -> tuple[Array, Array]:
    if problem.loss == 0:
        return scores - problem.y[:, None], np.ones_like(scores)
    p = boosting.probabilities(scores)
    hot = problem.y[:, None] == np.arange(p.shape[1])
    if scores.shape[1] == 1:
        p, hot = p[:, 1:], hot[:, 1:]
    return p - hot, np.maximum(p * (1 - p), 1e-6)


def _held_out_loss(problem: Problem, scores: Array) -> float:
    return boosting.kernels.mean_loss(problem.loss, problem.y, scores, problem.n_train, len(scores))


class _Block(SomeRows):
    """Values of candidates on some training and held-out rows; what they learn, they learn of the training rows."""

    def __init__(self, whole: Evaluator, rows: NDArray[np.intp], problem: Problem) -> None:
        super().__init__(whole, rows, State())
        self.problem = problem
        self._coded: dict[str, Coded] = {}

    def _applied(self, expression: Call) -> Any:
        definition, arguments = expression.definition, self._arguments(expression)
        if definition.fit is None:
            return definition.apply(*arguments, *expression.parameters)
        n = self.problem.n_train
        seen = [a.take(slice(n)) if isinstance(a, Groups) else a[:n] for a in arguments]
        learned = definition.fit("missing", *seen, *expression.parameters)
        return definition.apply(learned, *arguments, *expression.parameters)

    def coded(self, expressions: Sequence[Expression]) -> list[Coded]:
        """Expressions as the trees take them."""
        n, n_rows = self.problem.n_train, len(self.problem.y)
        numbers = [j for j, e in enumerate(expressions) if not self._is_category(e)]
        values = np.empty((len(numbers), n_rows))
        for row, j in zip(values, numbers):
            row[:] = self.numbers(expressions[j])
        coders = Coder.of_numbers(values[:, :n])
        coded = {j: coder(row) for j, coder, row in zip(numbers, coders, values)}
        return [coded[j] if j in coded else self._coded_category(e) for j, e in enumerate(expressions)]

    def _coded_category(self, expression: Expression) -> Coded:
        codes = self.groups(expression).codes
        values = np.where(codes < 0, np.nan, codes.astype(np.float64))
        return Coder.learn(values[: self.problem.n_train], True)(values)

    def column_coded(self, name: str) -> Coded:
        """A column as the trees take it, made once."""
        if name not in self._coded:
            (self._coded[name],) = self.coded([Variable(name)])
        return self._coded[name]


Scorer = Callable[..., float]
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Search:
    """The rows and start scores of one search.

    Parameters
    ----------
    values : Evaluator
        Of all rows.
    y : ndarray of shape (n_rows,)
    init : ndarray of shape (n_rows, n_outputs)
        Out-of-fold scores.
    loss : int
    train, valid : ndarray of int
        Rows in random order; a block is the beginning of both.
    scorer : callable (candidate, columns, problem, without) -> float
    engine : Engine
    """

    values: Evaluator
    y: Array
    init: Array
    loss: int
    train: NDArray[np.intp]
    valid: NDArray[np.intp]
    scorer: Scorer
    engine: Engine

    def block(self, share: float) -> _Block:
        """The first rows, a share of all."""
        train = self.train[: max(2, round(share * len(self.train)))]
        rows = np.concatenate([train, self.valid[: max(1, round(share * len(self.valid)))]])
        problem = Problem(self.y[rows], np.ascontiguousarray(self.init[rows]), len(train), self.loss)
        return _Block(self.values, rows, problem)

    def map_some(self, function: Callable[[Sequence[Expression]], R], expressions: Sequence[Expression]) -> list[R]:
        """`function` of a few expressions at a time, as many as take little memory and leave each worker some."""
        share = -(-len(expressions) // self.engine.n_workers)
        size = max(1, min(AT_ONCE, ROWS_AT_ONCE // len(self.y), share))
        return self.engine.map(function, [expressions[i : i + size] for i in range(0, len(expressions), size)])

    def rotations(self) -> list[Search]:
        """This search, and of few rows those with the other parts of equal size held out."""
        n, size = len(self.y), len(self.valid)
        if n >= FEW_ROWS:
            return [self]
        rows = np.concatenate([self.valid, self.train])
        n_parts = min(max(1, n // size), 5)
        turned = [np.roll(rows, -k * size) for k in range(n_parts)]
        return [replace(self, train=part[size:], valid=part[:size]) for part in turned]

    def from_constant(self, problem: Problem) -> Problem:
        """The problem with the best constant of all rows as the start."""
        n_classes = int(self.y.max()) + 1 if self.loss else 0
        constant = boosting.constant_scores(self.y, self.loss, n_classes)
        return replace(problem, init=np.tile(constant, (len(problem.y), 1)))


def order_digest(column: Coded) -> bytes:
    """The order of (up to 4,096) rows by a column, the same for the reverse order: what trees can tell of it.

    Examples
    --------
    >>> code = lambda x: Coder.learn(x, False)(x)
    >>> x = np.array([3.0, 1.0, 2.0, np.nan])
    >>> order_digest(code(x)) == order_digest(code(1 / x)), order_digest(code(x)) == order_digest(code(x**2 - 4 * x))
    (True, False)
    """
    values = column.values[:: max(1, len(column.values) // 4096)]
    order, missing = np.argsort(values), np.isnan(values)
    rising = values[order]
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.cumsum(np.append(False, rising[1:] != rising[:-1]))
    if not column.categorical:
        last = int(ranks[~missing].max(initial=-1))
        seen = np.flatnonzero(~missing & (2 * ranks != last))
        if len(seen) and 2 * ranks[seen[0]] > last:
            ranks = last - ranks
    return blake2b(np.where(missing, -1, ranks).astype(np.int32).tobytes(), digest_size=16).digest()


def score_candidates(search: Search, candidates: Sequence[Expression], share: float = 1.0) -> tuple[Array, list[bytes]]:
    """Score and `order_digest` of each candidate on a block; NaN for one that orders rows as its column does.

    Candidates are made and scored a few at a time: memory is that of a few columns a worker.
    """
    block, scorer = search.block(share), search.scorer
    names = dict.fromkeys(name for candidate in candidates for name in candidate.columns)
    known = {name: order_digest(block.column_coded(name)) for name in names}  # before threads share the columns
    alone: dict[tuple[str, ...], float] = {}
    if isinstance(scorer, FeatureBoostScorer) and scorer.beyond_columns:
        sets = list(dict.fromkeys(candidate.columns for candidate in candidates))

        def of_columns(names: tuple[str, ...]) -> float:
            return scorer.gain([block.column_coded(name) for name in names], block.problem)

        alone = dict(zip(sets, search.engine.map(of_columns, sets)))

    def some(candidates: Sequence[Expression]) -> tuple[Array, list[bytes]]:
        coded = block.coded(candidates)
        digests = [order_digest(column) for column in coded]
        scores = np.full(len(candidates), np.nan)
        new = [i for i, e in enumerate(candidates) if digests[i] not in [known[name] for name in e.columns]]
        given = [coded[i] for i in new]
        columns = [[block.column_coded(name) for name in candidates[i].columns] for i in new]
        without = [alone.get(candidates[i].columns) for i in new]
        if isinstance(scorer, FeatureBoostScorer):
            scores[new] = scorer.scores(given, columns, block.problem, without)
        else:
            scores[new] = [scorer(*each, block.problem, gain) for *each, gain in zip(given, columns, without)]
        return scores, digests

    found = search.map_some(some, candidates)
    return np.concatenate([np.empty(0), *(scores for scores, _ in found)]), [d for _, each in found for d in each]


def successive_halving(
    search: Search, candidates: Sequence[Expression], n_blocks: int = 8, min_candidates: int = 2000
) -> tuple[list[Expression], Array]:
    """The candidates that lower the loss most, best first, found by halving on growing blocks of rows.

    All are scored on the first block, the better half is scored on a block of twice the rows, and so on; as soon as
    `min_candidates` or fewer would be left, those are scored on all rows. Of candidates that order rows alike (also in
    reverse), which trees cannot tell apart, the first is kept; one that orders them as its own column does is dropped.
    The published procedure also drops scores that are not positive. Here they stay while there is room: a formula that
    the base model nearly knows may score just below 0 by chance, and the joint model sees its worth.

    Parameters
    ----------
    search : Search
    candidates : sequence of Expression
    n_blocks : int
        A power of 2: the first block has this part of the rows (no fewer than 1000 of them).
    min_candidates : int
        At most so many are returned.

    Returns
    -------
    kept : list of Expression
    scores : ndarray of shape (n_kept,)
        Falling.
    """
    kept = list(candidates)
    share = 1.0 / n_blocks
    while share < 1.0 and (share * len(search.train) < LEAST_BLOCK):
        share *= 2.0
    while share < 1.0 and len(kept) > min_candidates:
        scores, digests = score_candidates(search, kept, share)
        order = _distinct(scores, digests)
        kept = [kept[i] for i in order[: max(len(kept) // 2, min_candidates)]]
        share *= 2.0
    scores, digests = score_candidates(search, kept)
    order = _distinct(scores, digests)[:min_candidates]
    return [kept[i] for i in order], scores[order]


def _distinct(scores: Array, digests: Sequence[bytes]) -> list[int]:
    """Candidates with a score, from the best down; of those with the same digest, the first one given."""
    first: dict[bytes, int] = {}
    for i, digest in enumerate(digests):
        first.setdefault(digest, i)
    order = np.argsort(-scores, kind="stable").tolist()
    return [i for i in order if first[digests[i]] == i and not np.isnan(scores[i])]


def joint_worths(
    search: Search,
    candidates: Sequence[Expression],
    columns: Sequence[str],
    importance: Literal["permutation", "gain"] = "permutation",
    rng: np.random.Generator | None = None,
) -> Array:
    """What each candidate is worth in one model of all of them and all columns, for each part of the rows held out.

    Up to 1000 trees of 16 leaves at a rate of 0.1 start from a constant, so that a formula can show that it explains
    more than the columns do, and stop 50 trees after the least held-out loss. Of fewer than 5,000 rows, each part is
    held out in turn; the sum over the parts is the final order. Memory: two bytes a row and candidate.

    Parameters
    ----------
    search : Search
    candidates : sequence of Expression
    columns : sequence of str
    importance : {"permutation", "gain"}
        How far the loss of a sixth of the training rows, on which the model is not fitted, grows when a candidate's
        rows are exchanged; or the training gain of its splits, which is high for categories of many levels anyway.
    rng : Generator, optional
        For permutations.

    Returns
    -------
    ndarray of shape (n_parts, n_candidates)
    """
    parts = search.rotations()
    order = np.random.default_rng(0) if rng is None else rng
    if len(parts) == 1:
        return _joint_worth(parts[0], candidates, columns, importance, order)[None]
    alone = [replace(part, engine=LocalEngine(1)) for part in parts]  # a part at a time for each worker
    tasks = list(zip(alone, order.spawn(len(parts))))

    def worth(task: tuple[Search, np.random.Generator]) -> Array:
        part, own = task
        return _joint_worth(part, candidates, columns, importance, own)

    return np.array(search.engine.map(worth, tasks))


def held_out_falls(
    search: Search,
    candidates: Sequence[Expression],
    columns: Sequence[str],
    worths: Array,
    sizes: Sequence[int],
) -> tuple[Array, Array]:
    """How far the best few candidates lower the loss of rows that had no say in their order.

    For each part of the rows held out, trees on the columns and the `size` candidates that are worth most *in the model
    of the other rows* are grown on those rows (a sixth of them stops the growth), and predict the part. Choosing among
    hundreds of candidates thus costs what it costs on new rows.

    Parameters
    ----------
    search : Search
    candidates : sequence of Expression
    columns : sequence of str
    worths : ndarray of shape (n_parts, n_candidates)
        Of `joint_worths`.
    sizes : sequence of int

    Returns
    -------
    fall, error : ndarray of shape (n_sizes,)
        Mean fall of the loss against the columns alone, the hundredth of the rows at either end pulled in to the next,
        and its standard error: that of the rows, widened because the parts share training rows (by a half for five).

    References
    ----------
    Nadeau and Bengio (2003), Inference for the Generalization Error. Machine Learning 52, 239-281.
    """
    parts = search.rotations()
    held = [_held_out(part, candidates, columns, worth, max(sizes)) for part, worth in zip(parts, worths)]
    tasks = [(k, size) for size in (*sorted(sizes, reverse=True), 0) for k in range(len(parts))]  # the longest first
    losses = dict(zip(tasks, search.engine.map(lambda task: held[task[0]](task[1]), tasks)))
    falls = [[losses[k, 0] - losses[k, size] for size in sizes] for k in range(len(parts))]
    rows = np.concatenate(falls, axis=1)
    low, high = np.quantile(rows, [TAIL, 1.0 - TAIL], axis=1, keepdims=True)
    rows = np.clip(rows, low, high)
    shared = 1.0 + rows.shape[1] / len(search.train)
    return rows.mean(axis=1), rows.std(axis=1) * np.sqrt(shared / rows.shape[1])


def _held_out(
    part: Search, candidates: Sequence[Expression], columns: Sequence[str], worth: Array, most: int
) -> Callable[[int], Array]:
    """Loss of each held-out row by trees on the columns and as many of the best candidates as are asked for."""
    block = part.block(1.0)
    n = block.problem.n_train
    ranked = [i for i in np.argsort(-worth, kind="stable")[:most] if worth[i] > 0]
    given = block.coded([*map(Variable, columns), *(candidates[i] for i in ranked)])
    problem = part.from_constant(block.problem)
    seen, inside = _training_rows(given, problem)

    def losses(size: int) -> Array:
        used = given[: len(columns) + size]
        trees = boosting.grow(inside[: len(used)], seen, n_trees=300, patience=20)
        scores = trees.scores(np.array([c.codes[n:] for c in used]), problem.init[n:])
        return boosting.row_losses(problem.y[n:], scores, problem.loss)

    return losses


def _training_rows(columns: Sequence[Coded], problem: Problem) -> tuple[Problem, list[Coded]]:
    """The training rows alone, a sixth of them held out."""
    n = problem.n_train
    inside = Problem(problem.y[:n], problem.init[:n], max(1, n - n // 6), problem.loss)
    return inside, [Coded(c.codes[:n], c.n_codes, c.categorical, c.values[:n]) for c in columns]


def _sizes(most: int) -> list[int]:
    """Numbers of features that are tried: 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, ... and `most`."""
    steps = [step * 10**power for power in range(9) for step in (1, 1.5, 2, 3, 5, 7)]
    return sorted({int(step) for step in steps if step < most} | {most}) if most else []


def _joint_worth(
    search: Search,
    candidates: Sequence[Expression],
    columns: Sequence[str],
    importance: str,
    rng: np.random.Generator,
) -> Array:
    block = search.block(1.0)

    def some(expressions: Sequence[Expression]) -> list[Coded]:
        coded = block.coded(expressions)
        return [Coded(c.codes, c.n_codes, c.categorical, np.empty(0)) for c in coded]  # the codes are enough

    given = [coded for each in search.map_some(some, [*candidates, *map(Variable, columns)]) for coded in each]
    problem = search.from_constant(block.problem)
    if importance == "permutation":  # rows that are held out of the search must have no say
        problem, given = _training_rows(given, problem)
    trees = boosting.grow(given, problem, n_trees=1000, patience=50)
    worth = trees.importance
    if importance == "permutation":
        worth = boosting.permutation_importance(trees, given, problem, rng)
    return worth[: len(candidates)]


class OpenFE(TransformerMixin, BaseEstimator):
    """Make new features: formulas of columns, kept when they add to what a model of all columns knows.

    Every first-order candidate (`first_order_candidates`) is scored by feature boosting (`FeatureBoostScorer`) on
    growing blocks of rows, the better half going on; the survivors are ranked by their importance in one joint model.
    What a formula needs of the training rows (statistics of groups, frequencies) is learned in `fit` and stored; a row
    of `transform` depends on no other row.

    Parameters
    ----------
    n_features : int
        Number of new features, at most; fewer when the joint model uses fewer, or with `shrink`.
    operators : sequence of str, optional
        See `first_order_candidates`; all by default.
    task : {"auto", "regression", "classification"}
        ``"auto"``: words and at most 20 distinct whole numbers are classes.
    scorer : callable, optional
        In place of ``FeatureBoostScorer()``: ``(candidate, columns, problem, without) -> float``.
    base_learner : estimator or "constant", optional
        Whose out-of-fold predictions candidates must improve, on numbers with NaN and positions of categories; by
        default boosted trees. ``"constant"``: the best constant.
    cv : int
        Folds of the base learner.
    n_blocks : int
        A power of 2: the first block of rows is this part of all.
    min_candidates : int
        Halving stops here; at most so many enter the joint model.
    max_columns : int, optional
        Make candidates only of this many columns, those that the trees on all columns use most; all by default.
        With p numeric columns there are about 3.5 p**2 candidates.
    max_ordinal : int
        Numbers of at most so many distinct values are categories too.
    valid_size : float
        Share of the rows that is held out.
    importance : {"permutation", "gain"}
        Of the joint model, see `joint_worths`.
    shrink : bool
        Give only as many features as lower the loss of held-out rows most, and none when no number of them lowers it
        by 2.5 standard errors (`held_out_falls`); on small or noisy tables features otherwise do harm. The trees
        decide: a linear model may gain by features that they do without. False: give `n_features`.
    keep_original : bool
        Give the columns of `X` before the new ones: words as positions among the training categories.
    unseen : {"missing", "global"}
        A statistic within a group that training rows did not have: missing, or that of all training rows.
    random_state : int, Generator or None
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.

    Attributes
    ----------
    expressions_ : tuple of Expression
        The new features, best first.
    scores_ : ndarray of shape (n_new,)
        Their importance in the joint model.
    survivors_ : tuple of Expression
        All that entered the joint model, in its order; the first ones are `expressions_`.
    gains_ : ndarray of shape (n_survivors,)
        Their scores by feature boosting.
    n_candidates_ : int
    falls_ : dict of int to (float, float)
        With `shrink`, for each number of features tried: by how much the held-out loss (squared error, or minus log
        likelihood) falls on average over the rows, and the standard error. Squares that float64 cannot hold are its
        largest number or 0, here and in `scores_` and `gains_`.
    categorical_features_ : ndarray of shape (n_out,), bool
        Which columns of the result are positions of categories.
    ignored_ : dict of str to str
        Columns that no feature is made of, and why.
    state_ : State
        What the formulas have learned of the training rows.
    names_ : tuple of str
        What formulas call the columns of `X`: their names without blanks around them, or ``x0``, ``x1``, ...
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When the columns of `X` have names.

    Notes
    -----
    The published tool computes group statistics on training and test rows together; here they come from the training
    rows. Its released scorer fits the trees on the candidate alone (`with_columns=False`), and it orders by gain.

    While candidates are scored, memory is that of the table and a few columns a worker; the joint model takes two bytes
    for each row and survivor, and 25 kB a survivor for the sums of its leaves (times the classes, when there are more
    than two).

    References
    ----------
    Zhang, Zhang, Fan, Luo, Liu, Liu, Cao and Li (2023), OpenFE: Automated Feature Generation with Expert-level
    Performance. ICML. arXiv:2211.12507.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"debt": rng.uniform(0, 9, 800), "pay": rng.uniform(1, 5, 800), "noise": rng.normal(size=800)})
    >>> y = X.debt / X.pay + 0.1 * rng.normal(size=800)
    >>> openfe = OpenFE(n_features=1, random_state=0).fit(X, y)
    >>> print(*openfe.expressions_)
    (debt / pay)
    >>> openfe.transform(X).shape
    (800, 4)
    """

    def __init__(
        self,
        n_features: int = 10,
        operators: Sequence[str] | None = None,
        task: Literal["auto"] | Task = "auto",
        scorer: Scorer | None = None,
        base_learner: Any = None,
        cv: int = 5,
        n_blocks: int = 8,
        min_candidates: int = 2000,
        max_columns: int | None = None,
        max_ordinal: int = 100,
        valid_size: float = 0.25,
        importance: Literal["permutation", "gain"] = "permutation",
        shrink: bool = True,
        keep_original: bool = True,
        unseen: Unseen = "missing",
        random_state: RandomState = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.n_features = n_features
        self.operators = operators
        self.task = task
        self.scorer = scorer
        self.base_learner = base_learner
        self.cv = cv
        self.n_blocks = n_blocks
        self.min_candidates = min_candidates
        self.max_columns = max_columns
        self.max_ordinal = max_ordinal
        self.valid_size = valid_size
        self.importance = importance
        self.shrink = shrink
        self.keep_original = keep_original
        self.unseen = unseen
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the new features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
            Numbers, words, dates, with missing values.
        y : array-like of shape (n_samples,)

        Raises
        ------
        ValueError
            If a parameter is out of its range, `y` has missing values or a single value, or no column is usable.
        """
        X = checked(self, X, reset=True)
        self._check()
        table = read_as(X)
        y, self.classes_ = target(y, table.n_rows, self.task, type(self).__name__)
        usable = self._type(table)
        rng = np.random.default_rng(self.random_state)
        exponent = _exponent(y) if self.classes_ is None else 0
        search = self._search(table, y, exponent, usable, rng)
        self.n_candidates_ = 0
        self.survivors_: tuple[Expression, ...] = ()
        self.falls_: dict[int, tuple[float, float]] = {}
        worth = gains = np.empty(0)
        n = self.n_features
        if usable:
            chosen = self._most_used(search, usable)
            candidates = first_order_candidates(
                Columns.of(table, chosen, self.max_ordinal), OPERATORS if self.operators is None else self.operators
            )
            self.n_candidates_ = len(candidates)
            kept, gains = successive_halving(search, candidates, self.n_blocks, self.min_candidates)
            worths = joint_worths(search, kept, usable, self.importance, rng) if kept else np.empty((1, 0))
            worth = worths.sum(axis=0)
            n = min(n, int(np.count_nonzero(worth > 0)))
            if self.shrink:
                n = self._best_size(search, kept, usable, worths, n)
            order = np.lexsort((-gains, -worth))
            self.survivors_ = tuple(kept[i] for i in order)
            worth = _squares_in_units(worth[order], exponent)
            gains = gains[order]
            if isinstance(search.scorer, FeatureBoostScorer):
                gains = _squares_in_units(gains, exponent)
        self.expressions_, self.scores_, self.gains_ = self.survivors_[:n], worth[:n], gains
        self.falls_ = {m: tuple(_squares_in_units(found, exponent).tolist()) for m, found in self.falls_.items()}
        self._learn(table)
        return self

    def _best_size(
        self, search: Search, kept: Sequence[Expression], usable: Sequence[str], worths: Array, most: int
    ) -> int:
        """The number of features that lowers the held-out loss most; 0 when none surely does."""
        sizes = _sizes(most)
        if not sizes:
            return 0
        falls, errors = held_out_falls(search, kept, usable, worths, sizes)
        self.falls_ = {m: (float(fall), float(error)) for m, fall, error in zip(sizes, falls, errors)}
        sure = np.where(falls > SURE * errors, falls, 0.0)
        return sizes[int(np.argmax(sure))] if sure.max() > 0 else 0

    def transform(self, X: Any) -> Array:
        """The columns of `X` (with `keep_original`) and the new features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable

        Returns
        -------
        ndarray of shape (n_samples, n_out), float64
            NaN for missing.

        Raises
        ------
        ValueError
            If columns are missing, unknown or in another order than in fit; they are named. Where `X` has names here
            but not in fit, or the other way round, columns are taken by their place, with a warning.
        """
        check_is_fitted(self)
        X = checked(self, X, reset=False)
        if not self._made:
            return np.empty((len(X), 0))
        return apply_expressions(self._made, read_like(X, self.names_, self.state_.kinds), self.state_)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns of the result: those of `X`, and the formulas.

        Parameters
        ----------
        input_features : array-like of str, optional
            Must be the names of fit where there were names; else they name the columns.
        """
        check_is_fitted(self)
        known = getattr(self, "feature_names_in_", None)
        if input_features is not None:
            given = [str(name) for name in input_features]
            if known is not None and given != [str(name) for name in known]:
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(given) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features, {self.n_features_in_}"
                )
            place = dict(zip(self.names_, given))
        else:
            place = self._called()
        names = [place[e.name] if isinstance(e, Variable) else str(e) for e in self._made]
        return np.array(names, dtype=object)

    def to_sql(self, table: str = "data") -> str:
        """The features as one SELECT of a table (DuckDB's dialect), what was learned written into it.

        Columns are called as in `X`; one that has an empty name there, as in `names_`. See `Expression.to_sql`
        for the types that they may have. As of any query, the order of the rows is not that of the table.

        Raises
        ------
        ValueError
            If no feature was made and the columns are not kept, so that there is nothing to select.

        Examples
        --------
        >>> openfe = OpenFE(random_state=0).fit([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], [0.5, 2.5, 1.5])
        >>> print(openfe.to_sql("sales"))
        SELECT
          CASE WHEN isfinite(TRY_CAST("x0" AS DOUBLE)) THEN TRY_CAST("x0" AS DOUBLE) END AS "x0",
          CASE WHEN isfinite(TRY_CAST("x1" AS DOUBLE)) THEN TRY_CAST("x1" AS DOUBLE) END AS "x1"
        FROM "sales"
        """
        check_is_fitted(self)
        if not self._made:
            raise ValueError(
                "no feature was made, so there is nothing to select; fit with keep_original=True or shrink=False"
            )
        called = {name: raw or name for name, raw in self._called().items()}  # SQL has no empty names
        names = (called[e.name] if isinstance(e, Variable) else str(e) for e in self._made)
        parts = [f"  {sql_of(e, self.state_, called)} AS {identifier(name)}" for e, name in zip(self._made, names)]
        return "SELECT\n" + ",\n".join(parts) + f"\nFROM {identifier(table)}"

    def _called(self) -> dict[str, str]:
        """What `X` calls the columns that the table of fit calls so: a table drops blanks around names."""
        return dict(zip(self.names_, map(str, getattr(self, "feature_names_in_", self.names_))))

    def save(self, path: str | Path) -> None:
        """Write the formulas and what they have learned as JSON; the file is whole or not there.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        check_is_fitted(self)
        data = {
            "format": FORMAT,
            "columns": list(self.names_),
            "named": hasattr(self, "feature_names_in_"),
            "feature_names_in": list(self._called().values()),
            "keep_original": self.keep_original,
            "ignored": self.ignored_,
            "expressions": [str(e) for e in self.expressions_],
            "scores": self.scores_.tolist(),
            "gains": self.gains_[: len(self.expressions_)].tolist(),
            "originals": [str(e) for e in self._made if isinstance(e, Variable)],
            "state": self.state_.to_dict(),
        }
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(data, allow_nan=False, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A fitted transformer from a file that `save` wrote.

        Raises
        ------
        ValueError
            If the file is no such file, or of a format that this version does not read.

        Examples
        --------
        >>> import tempfile
        >>> X = np.random.default_rng(0).uniform(1, 2, size=(300, 2))
        >>> openfe = OpenFE(n_features=1, random_state=0).fit(X, X[:, 0] / X[:, 1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     openfe.save(Path(folder) / "features.json")
        ...     again = OpenFE.load(Path(folder) / "features.json")
        >>> bool((again.transform(X) == openfe.transform(X)).all())
        True
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            form = str(data["format"])
            found = cls._of_dict(data) if form == FORMAT else None
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
            raise ValueError(f"{path} is not a whole file of OpenFE features; write one with save") from None
        if found is None:
            raise ValueError(f"{path} is in the format {form!r}, but this version reads {FORMAT!r}")
        return found

    @classmethod
    def _of_dict(cls, data: dict[str, Any]) -> Self:
        found = cls(keep_original=bool(data["keep_original"]))
        found.names_, found.n_features_in_ = tuple(data["columns"]), len(data["columns"])
        if data["named"]:
            found.feature_names_in_ = np.array(data.get("feature_names_in", data["columns"]), dtype=object)
        found.ignored_ = dict(data["ignored"])
        found.expressions_ = found.survivors_ = tuple(parse(text) for text in data["expressions"])
        found.scores_, found.gains_ = np.array(data["scores"]), np.array(data["gains"])
        found.state_ = State.from_dict(data["state"])
        found._made = [*(parse(text) for text in data["originals"]), *found.expressions_]
        found.categorical_features_ = found._categories()
        return found

    def _check(self) -> None:
        for name, least in (("n_features", 0), ("cv", 2), ("n_blocks", 1), ("min_candidates", 1), ("max_ordinal", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name} must be a whole number from {least}, not {value!r}")
        if self.n_blocks & (self.n_blocks - 1):
            raise ValueError(f"n_blocks must be a power of 2, not {self.n_blocks}")
        if not 0 < self.valid_size < 1:
            raise ValueError(f"valid_size must be between 0 and 1, not {self.valid_size!r}")
        if self.importance not in ("permutation", "gain"):
            raise ValueError(f"importance must be 'permutation' or 'gain', not {self.importance!r}")
        if self.max_columns is not None and self.max_columns < 1:
            raise ValueError(f"max_columns must be at least 1, not {self.max_columns!r}")

    def _type(self, table: FeatureTable) -> list[str]:
        """Names of the columns that candidates can be made of; the others are noted."""
        self.names_ = table.names
        self.ignored_: dict[str, str] = {}
        for column in table.columns():
            present = column.values[~column.missing]
            if not len(present):
                self.ignored_[column.name] = "every value is missing"
            elif bool((present == present[0]).all()):
                self.ignored_[column.name] = "the column is constant"
            elif column.kind in ("id", "text"):
                self.ignored_[column.name] = "an identifier or free text"
        return [name for name in table.names if name not in self.ignored_]

    def _search(
        self, table: FeatureTable, y: Array, exponent: int, usable: Sequence[str], rng: np.random.Generator
    ) -> Search:
        """The search for a target in units of two to the power of `exponent`."""
        n_classes = 0 if self.classes_ is None else len(self.classes_)
        loss = boosting.loss_of("regression" if self.classes_ is None else "classification", n_classes)
        engine = resolve(self.engine)
        init = self._init_scores(table, y, exponent, usable, loss, rng, engine)
        y = np.ldexp(y, -exponent)
        train, valid = boosting.split_rows(y, self.classes_ is not None, self.valid_size, rng)
        values = Evaluator(table.column, State())
        scorer = FeatureBoostScorer() if self.scorer is None else self.scorer
        return Search(values, y, init, loss, train, valid, scorer, engine)

    def _init_scores(
        self,
        table: FeatureTable,
        y: Array,
        exponent: int,
        usable: Sequence[str],
        loss: int,
        rng: np.random.Generator,
        engine: Engine,
    ) -> Array:
        """Scores that candidates must improve, shape (n_rows, n_outputs)."""
        n_classes = 0 if self.classes_ is None else len(self.classes_)
        scaled = np.ldexp(y, -exponent)
        constant = np.tile(boosting.constant_scores(scaled, loss, n_classes), (len(y), 1))
        cv = min(self.cv, len(y) // 2)
        if isinstance(self.base_learner, str) and self.base_learner != "constant":
            raise ValueError(f"base_learner must be an estimator or 'constant', not {self.base_learner!r}")
        if isinstance(self.base_learner, str) or cv < 2 or not usable:
            return constant
        originals: list[Expression] = [Variable(name) for name in usable]
        state = fit_expressions(originals, table)
        numbers = apply_expressions(originals, table, state)
        learner = self.base_learner
        if learner is None:
            words = tuple(state.kinds[name] == "categorical" for name in usable)
            learner = (boosting.TreeRegressor if loss == 0 else boosting.TreeClassifier)(words)
        if (loss != 0) != is_classifier(learner):
            wanted = "regressor" if loss == 0 else "classifier"
            raise ValueError(f"base_learner must be a {wanted} for this y; set task, or give another learner")
        if self.base_learner is None:
            found = out_of_fold(learner, numbers, scaled, cv, rng, engine)
        else:  # which may depend on the units
            found = np.ldexp(out_of_fold(learner, numbers, y, cv, rng, engine), -exponent)
        return found[:, None] if loss == 0 else boosting.scores_of(found)

    def _most_used(self, search: Search, usable: list[str]) -> list[str]:
        """The columns that trees on all of them gain most by, in the table's order."""
        if self.max_columns is None or len(usable) <= self.max_columns:
            return usable
        block = search.block(1.0)
        problem = search.from_constant(block.problem)
        trees = boosting.grow([block.column_coded(name) for name in usable], problem, n_trees=200, patience=20)
        best = np.sort(np.argsort(-trees.importance, kind="stable")[: self.max_columns])
        return [usable[j] for j in best]

    def _learn(self, table: FeatureTable) -> None:
        """The columns of the result, and what they need of the training rows."""
        originals: list[Expression] = []
        if self.keep_original:
            kept = [c.name for c in table.columns() if c.kind not in ("id", "text") or not c.is_coded]
            originals = [Variable(name) for name in kept]
        self._made = [*originals, *self.expressions_]
        self.state_ = fit_expressions(self._made, table, self.unseen)
        self.categorical_features_ = self._categories()

    def _categories(self) -> NDArray[np.bool_]:
        return np.array(
            [
                e.kind == "categorical" or (isinstance(e, Variable) and self.state_.kinds[e.name] == "categorical")
                for e in self._made
            ],
            dtype=bool,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags


OpenFEGenerator = OpenFE


def _exponent(y: Array) -> int:
    """Of two: the unit of a target whose squares would leave the range of numbers; 0 for usual units."""
    largest = int(np.frexp(np.abs(y).max())[1])
    unit = np.ldexp(y, -largest)
    exponent = largest + int(np.frexp(np.abs(unit - unit.mean()).max())[1])
    return exponent if abs(exponent) > USUAL else 0


def _squares_in_units(values: Array | Sequence[float], exponent: int) -> Array:
    """Squares of numbers in units of two to the power of `exponent` as squares of numbers; the largest if too large."""
    most = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        return np.clip(np.ldexp(np.asarray(values, dtype=np.float64), 2 * exponent), -most, most)
