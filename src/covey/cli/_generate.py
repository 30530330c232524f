"""``covey generate``: make new features of a table, or apply those that were made before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import (
    Engine,
    Json,
    Sample,
    Seed,
    print_json,
    print_table,
    progress,
    read_with_target,
    require_column,
)

if TYPE_CHECKING:
    from covey.generate import OpenFE
    from covey.table import Column, FeatureTable

_TABLES = (".csv", ".parquet")


def generate(
    table: Annotated[str, typer.Argument(help="A file (CSV, Parquet, Arrow, .npy, .npz) or covey:adult.")],
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="The column to be explained; with --apply, one that --out keeps."),
    ] = None,
    top: Annotated[int, typer.Option("--top", "-k", min=1, help="How many new features, at most.")] = 10,
    columns: Annotated[
        int | None, typer.Option("--columns", min=1, help="Make features of so many columns only, the most used.")
    ] = None,
    operators: Annotated[
        str | None, typer.Option("--operators", help="Only these, as 'log,/,mean by'; all by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Cross-validate a model with and without, features made in each fold.")
    ] = False,
    apply: Annotated[
        Path | None, typer.Option("--apply", help="Make no new ones: apply the features that --save wrote.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the table with the new columns (.csv, .parquet).")
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write the features as JSON, for --apply.")] = None,
    sql: Annotated[Path | None, typer.Option("--sql", help="Write the features as a SELECT for DuckDB.")] = None,
    engine: Engine = None,
    sample: Sample = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Make features of the columns of TABLE that tell about a target what the columns do not (OpenFE)."""
    if out is not None and out.suffix not in _TABLES:
        raise ValueError(f"--out {out}: the ending must be {' or '.join(_TABLES)}")
    if apply is not None:
        _apply(table, apply, out, sql, target, json)
        return
    if target is None:
        raise ValueError("--target is missing: features are made to tell about one")
    from covey.generate import OpenFE

    made = OpenFE(
        n_features=top,
        operators=None if operators is None else [name.strip() for name in operators.split(",")],
        max_columns=columns,
        random_state=seed,
        engine=engine,
    )
    X, y = read_with_target(table, target, sample, seed)
    assert y is not None
    with progress("trying features"):
        made.fit(X, y)
    scores = _checked(made, X, y, seed) if check else None
    rows = _rows(made)
    if save is not None:
        made.save(save)
    if sql is not None:
        _write_sql(made, sql)
    if out is not None:
        _write(made, X, y, out)
    if json:
        print_json({"target": target, "candidates": made.n_candidates_, "features": rows, "check": scores})
        return
    print_table(
        f"{len(rows)} new features for {target}, of {made.n_candidates_:,} candidates",
        ("feature", "importance", "gain"),
        [(row["feature"], row["importance"], row["gain"]) for row in rows],
    )
    for name, why in made.ignored_.items():
        typer.echo(f"note: nothing was made of {name}: {why}")
    if scores is not None:
        typer.echo(_said(scores))
    for words, path in (("the table", out), ("the features", save), ("the query", sql)):
        if path is not None:
            typer.echo(f"{words}: {path.resolve()}")


def _apply(source: str, features: Path, out: Path | None, sql: Path | None, target: str | None, json: bool) -> None:
    import covey
    from covey.generate import OpenFE

    if out is None and sql is None and not json:
        raise ValueError("--apply needs --out, --sql or --json: where shall the features go?")
    made = OpenFE.load(features)
    table = covey.read(source)
    missing = [name for name in made.names_ if name not in table.names]
    if missing:
        raise ValueError(f"{source} lacks {', '.join(map(repr, missing[:5]))}, which the features are made of")
    require_column(table.names, target)
    if target in made.names_:
        raise ValueError(f"--target {target}: it is a column that the features are made of; name another, or none")
    y = None if target is None else table[target]
    X = table.select(list(made.names_))
    if sql is not None:
        _write_sql(made, sql)
    if out is not None:
        _write(made, X, y, out)
        typer.echo(f"{X.n_rows:,} rows with {len(made.expressions_)} new features: {out.resolve()}", err=json)
    if json:
        names, new = [str(e) for e in made.expressions_], _new_columns(made, X)
        print_json({"features": dict(zip(names, (column.values for column in new)))})


def _rows(made: OpenFE) -> list[dict[str, Any]]:
    return [
        {
            "feature": str(expression),
            "importance": float(importance),
            "gain": float(gain),
            "columns": expression.columns,
        }
        for expression, importance, gain in zip(made.expressions_, made.scores_, made.gains_)
    ]


def _new_columns(made: OpenFE, X: FeatureTable) -> list[Column]:
    from covey.table import Column

    values = made.transform(X)[:, -len(made.expressions_) :] if made.expressions_ else made.transform(X)[:, :0]
    return [Column(str(e), "numeric", values[:, j].copy()) for j, e in enumerate(made.expressions_)]


def _write(made: OpenFE, X: FeatureTable, y: Column | None, path: Path) -> None:
    from covey.table import FeatureTable, write

    columns = [*X.columns(), *_new_columns(made, X), *([] if y is None else [y])]
    write(FeatureTable.from_columns(columns), path)


def _write_sql(made: OpenFE, path: Path) -> None:
    from covey.table import atomic_write

    with atomic_write(path) as temporary:
        temporary.write_text(made.to_sql() + ";\n", encoding="utf-8")


def _checked(made: OpenFE, X: FeatureTable, y: Column, seed: int) -> dict[str, Any]:
    """Scores of boosted trees in five folds, with the columns and with the new features that each fold makes."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from covey.measure._crossfit import row_folds

    classes = made.classes_ is not None
    task = "classification" if classes else "regression"  # also where a fold has few distinct numbers
    values = y.labels() if y.is_coded else y.values
    learner = (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(random_state=seed)
    before: list[float] = []
    after: list[float] = []
    folds = row_folds(5, X.n_rows, values, classes, seed)
    with progress("checking") as say:
        for k, (train, test) in enumerate(folds):
            say(f"checking: fold {k + 1} of {len(folds)}")
            fold = clone(made).set_params(task=task).fit(X.take(train), values[train])
            old = len(fold.get_feature_names_out()) - len(fold.expressions_)
            with_new = fold.transform(X)
            for scores, x in ((before, with_new[:, :old]), (after, with_new)):
                scores.append(clone(learner).fit(x[train], values[train]).score(x[test], values[test]))
    gains = np.subtract(after, before)
    return {
        "score": "accuracy" if classes else "r2",
        "without": float(np.mean(before)),
        "with": float(np.mean(after)),
        "gain": float(gains.mean()),
        "error": float(gains.std(ddof=1) / np.sqrt(len(gains))),
    }


def _said(scores: dict[str, Any]) -> str:
    return (
        f"boosted trees in five folds, features made in each: {scores['score']} {scores['without']:.3f} without and "
        f"{scores['with']:.3f} with them, {scores['gain']:+.3f} ± {scores['error']:.3f}"
    )
