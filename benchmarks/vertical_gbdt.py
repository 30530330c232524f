"""Boosted trees of one party beside scikit-learn's: the price of being able to spread the columns over parties."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from benchmarks._frame import Row, Target, timed
from covey.partition.vertical_gbdt import VerticalGBDT


def rows(quick: bool) -> list[Row]:
    """Digits, 10 classes, depth 6: pooled columns, and four parties."""
    n_rounds = 5 if quick else 50
    X, y = load_digits(return_X_y=True)
    train, test = np.arange(len(y)) % 4 > 0, np.arange(len(y)) % 4 == 0
    cuts = (16, 32, 48)
    model = VerticalGBDT(n_estimators=n_rounds)
    VerticalGBDT(n_estimators=1).fit([X[train]], y[train])  # compiles
    pooled_seconds, pooled = timed(partial(model.fit, [X[train]], y[train]))
    score = pooled.score([X[test]], y[test])
    pooled_scores = pooled.scores([X[test]])
    peer = HistGradientBoostingClassifier(max_iter=n_rounds, max_depth=6, early_stopping=False, random_state=0)
    with threadpool_limits(1, user_api="openmp"):  # covey's trees grow in one thread
        peer_seconds, peer = timed(partial(peer.fit, X[train], y[train]))
    seconds, split = timed(partial(VerticalGBDT(n_estimators=n_rounds).fit, np.split(X[train], cuts, axis=1), y[train]))
    apart = float(np.abs(split.scores(np.split(X[test], cuts, axis=1)) - pooled_scores).max())
    name = "scikit-learn `HistGradientBoostingClassifier`, one thread"
    lost = peer.score(X[test], y[test]) - score
    return [
        Row(
            f"boosted trees, digits, {n_rounds} rounds, columns in one place",
            pooled_seconds,
            name,
            peer_seconds,
            Target() if quick else Target(speedup=1.0),
        ),
        Row(
            "the same: accuracy below the peer's, in points",
            pooled_seconds,
            target=Target() if quick else Target(most=1.5, unit="points"),
            value=100 * lost,
            note=f"{score:.4f} against {score + lost:.4f}",
        ),
        Row(
            "the same over four parties",
            seconds,
            name,
            peer_seconds,
            Target(most=0.0, unit=""),
            value=apart,
            note=f"{split.traffic_.bytes / 1e6:.0f} MB sent; largest difference of scores to one place {apart:g}",
        ),
    ]
