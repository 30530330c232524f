"""``covey select``: rank the columns of a table for a target, or compare ways to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import (
    Engine,
    Json,
    Sample,
    Seed,
    is_large,
    print_json,
    print_table,
    progress,
    read_with_target,
    require_column,
)

if TYPE_CHECKING:
    from covey.select import RankingSelector, SelectorComparison
    from covey.table import FeatureTable

_TABLES = (".csv", ".parquet")
_COMPARED = "association,mrmr,outrank,omp"


def select(
    table: Annotated[
        str | None, typer.Argument(help="A file (CSV, Parquet, Arrow, .npy, .npz) or covey:adult.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="The column to be explained.")] = None,
    method: Annotated[str, typer.Option("--method", "-m", help="How to rank: see --list.")] = "association",
    top: Annotated[
        int | None,
        typer.Option("--top", "-k", min=1, help="Keep so many columns (those before the elbow, or ten of a path)."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare ways to rank by nested cross-validation.")
    ] = False,
    methods: Annotated[str, typer.Option("--methods", help="With --compare: which ways, as a,b,c.")] = _COMPARED,
    learner: Annotated[
        str, typer.Option("--learner", help="With --compare: forest, linear, boosting or neighbours.")
    ] = "forest",
    scoring: Annotated[
        str | None, typer.Option("--scoring", help="With --compare: a score of scikit-learn (accuracy, or r2).")
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="With --compare: how many folds.")] = 5,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the table of kept columns (.csv, .parquet), or the page (.html)."),
    ] = None,
    list_methods: Annotated[bool, typer.Option("--list", help="List the ways to rank and stop.")] = False,
    engine: Engine = None,
    sample: Sample = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Rank the columns of TABLE by what they tell about a target and keep the best, or compare ways to do so."""
    if list_methods:
        _list_methods(json)
        return
    if table is None:
        raise ValueError("name a table, or covey:adult; --list tells the ways to rank")
    if out is not None and out.suffix not in ((".html",) if compare else _TABLES):
        wanted = "the page's ending must be .html" if compare else f"the ending must be {' or '.join(_TABLES)}"
        raise ValueError(f"--out {out}: {wanted}")
    if compare:
        _compare(table, target, methods, learner, scoring, folds, out, engine, sample, seed, json)
    else:
        _rank(table, target, method, top, out, engine, sample, seed, json)


def _list_methods(json: bool) -> None:
    import covey.learn
    import covey.select

    known = covey.learn.selectors()
    entries = [{"name": entry.name, "summary": entry.summary} for entry in known.values()]
    if json:
        print_json(entries)
        return
    print_table(
        f"{len(entries)} ways to rank columns ({len(covey.select.selectors())} without torch)",
        ("method", "ranks by"),
        [tuple(entry.values()) for entry in entries],
    )


def _made(name: str, k: Any, seed: int, engine: str | None) -> RankingSelector:
    from covey.learn import selectors

    known = selectors()
    if name not in known:
        raise ValueError(f"no way to rank is called {name!r}; choose one of {', '.join(known)}")
    made: RankingSelector = known[name].make(k=k, random_state=seed, engine=engine)
    return made


def _rank(
    source: str,
    target: str | None,
    method: str,
    top: int | None,
    out: Path | None,
    engine: str | None,
    sample: int | None,
    seed: int,
    json: bool,
) -> None:
    import covey
    from covey.select.encoded import EncodedSelector, takes
    from covey.table import FeatureTable

    selector = _made(method, top, seed, engine)
    X: Any
    y: Any
    if sample is None and selector.streams() and (is_large(source) or (engine or "").startswith("dask")):
        if out is not None:
            raise ValueError(f"{source} is too large to be written here; leave --out away and use the names")
        X, y = covey.iter_blocks(source), target
        require_column(X.names, target)
    else:
        X, y = read_with_target(source, target, sample, seed)
    if isinstance(X, FeatureTable) and not takes(selector, X):
        typer.echo(
            f"covey: note: {method} needs complete numbers: categories become indicators, gaps are filled", err=True
        )
        selector = EncodedSelector(selector, k="elbow" if top is None else top, engine=engine)
    elif top is None:
        _lower_default(selector, X, target)
    with progress(f"ranking by {method}"):
        selector.fit(X, y)
    names = [name for name in (X.names if not isinstance(X, str) else ()) if name != target]
    kept = [names[j] for j in selector.get_support(indices=True)]
    if out is not None:
        _write(X.select([name for name in X.names if name in set(kept)]), y, out)
    rows = _ranking(selector, names)
    if json:
        print_json({"method": method, "target": target, "kept": kept, "columns": rows})
        return
    most = max(20, len(kept))
    print_table(
        f"{method}: {len(kept)} of {len(names)} columns kept" + (f" for {target}" if target else ""),
        ("rank", "column", "score", "kept"),
        [(r["rank"], r["column"], r["score"], "yes" if r["kept"] else r["reason"]) for r in rows[:most]],
    )
    if len(rows) > most:
        typer.echo(f"and {len(rows) - most} columns of less; --json tells all")
    if out is not None:
        typer.echo(f"the kept columns{' and the target' if target else ''}: {out.resolve()}")


def _lower_default(selector: RankingSelector, X: Any, target: str | None) -> None:
    """Make a selector's own number of columns no larger than the number that there are."""
    from covey.select._base import unusable
    from covey.table import FeatureTable

    default = selector.get_params(deep=False).get("k")
    if isinstance(default, int):
        known = (
            [not unusable(c) for c in X.columns()] if isinstance(X, FeatureTable) else [n != target for n in X.names]
        )
        selector.set_params(k=max(1, min(default, sum(known))))


def _ranking(selector: RankingSelector, names: list[str]) -> list[dict[str, Any]]:
    """The columns from best to worst."""
    support = selector.get_support()
    rows = [
        {
            "rank": int(selector.ranking_[j]),
            "column": name,
            "score": float(selector.scores_[j]),
            "kept": bool(support[j]),
            "reason": selector.reasons_[j],
        }
        for j, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: row["rank"])


def _compare(
    source: str,
    target: str | None,
    names: str,
    learner: str,
    scoring: str | None,
    folds: int,
    out: Path | None,
    engine: str | None,
    sample: int | None,
    seed: int,
    json: bool,
) -> None:
    from covey.select import compare_selectors

    if target is None:
        raise ValueError("--compare needs a --target: selectors are judged by what their columns predict")
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    X, y = read_with_target(source, target, sample, seed)
    selectors = {name: _made(name, None, seed, None) for name in wanted}
    with progress("selecting and scoring") as say:
        found = compare_selectors(
            X,
            y,
            selectors,
            learner=learner,
            scoring=scoring,
            cv=folds,
            random_state=seed,
            engine=engine,
            progress=lambda done, total: say(f"selecting and scoring: {done} of {total}"),
        )
    if out is not None:
        from covey.report import selection_page
        from covey.table import atomic_write

        facts = {"source": source, "rows": X.n_rows, "seed": seed}
        with atomic_write(out) as temporary:
            temporary.write_text(selection_page(f"Which columns tell about {target}?", found, facts), encoding="utf-8")
    if json:
        print_json(found.to_dict())
        return
    _print_comparison(found)
    if out is not None:
        typer.echo(f"The page: {out.resolve()}")


def _print_comparison(found: SelectorComparison) -> None:
    summary = found.summary()
    print_table(
        f"{found.scoring} of {found.learner}, each selector at its smallest size within one standard error "
        f"({found.standard_error:.2g}) of its best",
        ("selector", "columns", "score", "±", "nested score", "±", "stability", "seconds"),
        [[float("nan") if cell is None else cell for cell in row] for row in zip(*summary.values())],
    )
    for name, why in found.failures.items():
        typer.echo(f"{name} could not be used: {why}")
    best = found.recommended
    typer.echo(f"all {len(found.features)} columns: {best.all_score:.3g} ± {best.all_error:.2g}")
    if best.size == len(found.features):
        typer.echo("recommended: all columns; no smaller subset comes within one standard error of the best")
        return
    steady = "" if best.is_steady else f" (not steady: stability {best.stability:.2f})"
    typer.echo(f"recommended: {best.size} columns by {best.selector}, {best.score:.3g} ± {best.error:.2g}{steady}")
    typer.echo(f"  {', '.join(best.columns)}")
    if best.nested_score == best.nested_score:
        typer.echo(f"  on rows that took no part in any choice: {best.nested_score:.3g} ± {best.nested_error:.2g}")


def _write(kept: FeatureTable, target: Any, path: Path) -> None:
    """Write columns and the target to a CSV or Parquet file, complete or not at all."""
    from covey.table import FeatureTable, write

    write(FeatureTable.from_columns([*kept.columns(), *([] if target is None else [target])]), path)
