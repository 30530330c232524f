"""Signatures against iterated integrals by definition and iisignature, Chen's identity; irregular paths, SigLasso."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.generate.signature import (
    SigLasso,
    SignatureTransformer,
    as_paths,
    path_signature,
    signature_dim,
    signature_words,
)


@parametrize_with_checks([SignatureTransformer(depth=2), SigLasso(depth=2), SigLasso(depth=2, penalty="ridge")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def walk(n_points=8, n_channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_points, n_channels)).cumsum(axis=0)


def integral(path, word):
    """The iterated integral of a polygon, by integrating polynomials on each segment."""
    pieces = [Polynomial([1.0]) for _ in path[1:]]
    for letter in word:
        total, found = 0.0, []
        for piece, (a, b) in zip(pieces, pairwise(path[:, letter]), strict=True):
            grown = (piece * (b - a)).integ() + total
            found.append(grown)
            total = grown(1.0)
        pieces = found
    return pieces[-1](1.0)


@pytest.mark.parametrize(("n_channels", "depth"), [(1, 5), (2, 4), (3, 3)])
def test_signature_is_the_iterated_integrals(n_channels, depth):
    path = walk(6, n_channels)
    expected = [integral(path, word) for word in signature_words(n_channels, depth)]
    assert_allclose(path_signature(path, depth), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("n_channels", "depth"), [(2, 5), (4, 5)])
def test_signature_is_that_of_iisignature(n_channels, depth):
    iisignature = pytest.importorskip("iisignature")
    path = walk(30, n_channels)
    assert_allclose(path_signature(path, depth), iisignature.sig(path, depth), rtol=1e-10, atol=1e-10)
    expanded = iisignature.logsig(path, iisignature.prepare(n_channels, depth, "x"), "x")
    words = signature_words(n_channels, depth)
    lyndon = [words.index(word) for word in signature_words(n_channels, depth, log=True)]
    assert_allclose(path_signature(path, depth, log=True), expanded[lyndon], rtol=1e-10, atol=1e-10)


def levels(values, d, depth):
    out, start = [np.ones(1)], 0
    for k in range(1, depth + 1):
        out.append(values[start : start + d**k])
        start += d**k
    return out


def product(left, right, d, depth):
    a, b = levels(left, d, depth), levels(right, d, depth)
    return np.concatenate([sum(np.outer(a[j], b[k - j]).ravel() for j in range(k + 1)) for k in range(1, depth + 1)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
def test_invariances(seed, n_channels, depth, cut):
    path = walk(8, n_channels, seed)
    whole = path_signature(path, depth)
    parts = product(path_signature(path[: cut + 1], depth), path_signature(path[cut:], depth), n_channels, depth)
    assert_allclose(whole, parts, rtol=1e-9, atol=1e-9)
    assert_allclose(whole, path_signature(path + 5.0, depth), rtol=1e-9, atol=1e-9)
    halves = np.insert(path, cut, path[cut - 1 : cut + 1].mean(axis=0), axis=0)
    assert_allclose(whole, path_signature(halves, depth), rtol=1e-9, atol=1e-9)
    there_and_back = path_signature(np.concatenate([path, path[::-1]]), depth)
    assert_allclose(there_and_back, 0.0, atol=1e-8 * (1.0 + np.abs(whole).max() ** 2))
    assert_allclose(whole[:n_channels], path[-1] - path[0], rtol=1e-9, atol=1e-9)
    factorials = np.concatenate([np.full(n_channels**k, np.prod(np.arange(1, k + 1))) for k in range(1, depth + 1)])
    assert_allclose(path_signature(path, depth, factorial=True), whole * factorials)


def test_log_signature_of_two_channels_by_the_formula_of_campbell_baker_hausdorff():
    a, b = np.array([1.0, 2.0]), np.array([-0.5, 3.0])
    area = (a[0] * b[1] - a[1] * b[0]) / 2
    expected = [*(a + b), area, (a[0] - b[0]) * area / 6, (b[1] - a[1]) * area / 6]
    assert_allclose(path_signature([[0.0, 0.0], a, a + b], 3, log=True), expected)


def test_log_signature_of_a_segment_has_one_order():
    assert_allclose(path_signature([[0.0, 1.0, 2.0], [3.0, 5.0, 1.0]], 4, log=True)[3:], 0.0, atol=1e-12)


@pytest.mark.parametrize(("d", "depth", "expected"), [(2, 5, 14), (3, 4, 32), (4, 3, 30), (1, 4, 1)])
def test_lyndon_words_are_counted_by_witts_formula(d, depth, expected):
    words = signature_words(d, depth, log=True)
    assert len(words) == expected
    assert all(word <= word[k:] + word[:k] for word in words for k in range(1, len(word)))


def test_stream_is_the_signature_of_each_prefix():
    path = walk(7, 3)
    stream = path_signature(path, 3, times=np.arange(7.0), stream=True)
    for k in range(1, 8):
        assert_allclose(stream[k - 1], path_signature(path[:k], 3, times=np.arange(float(k))), atol=1e-12)
    assert not stream[0].any()
    assert_allclose(path_signature(np.stack([path, -path]), 2)[1], path_signature(-path, 2))


def test_lead_lag_is_the_signature_of_the_doubled_path():
    path = walk(6, 2)
    doubled = np.repeat(path, 2, axis=0)
    pair = np.column_stack([doubled[1:], doubled[:-1]])
    assert_allclose(path_signature(path, 3, lead_lag=True), path_signature(pair, 3), atol=1e-12)
    found = dict(zip(signature_words(2, 2), path_signature(path[:, :1], 2, lead_lag=True), strict=True))
    assert_allclose(found[(0, 1)] - found[(1, 0)], (np.diff(path[:, 0]) ** 2).sum())


def test_a_large_mean_costs_no_digits_of_the_steps():
    steps = np.round(walk(50, 2) * 64) / 64  # such numbers are exact also beside 1e9
    assert_allclose(path_signature(steps + 1e9, 4), path_signature(steps, 4), rtol=1e-12)


BAD = [[[0.0, np.nan], [1.0, 1.0]], [[0.0, np.inf], [1.0, 1.0]], [0.0, 1.0], np.zeros((2, 2, 2, 2))]


@pytest.mark.parametrize("path", BAD)
def test_signature_rejects(path):
    with pytest.raises(ValueError, match="path"):
        path_signature(path, 2)


def test_signature_names_what_does_not_fit():
    with pytest.raises(ValueError, match="times must have one entry a point, 3"):
        path_signature(np.zeros((3, 1)), 2, times=[0.0, 1.0])
    with pytest.raises(ValueError, match="lower depth"):
        path_signature(np.zeros((3, 20)), 6)
    with pytest.raises(ValueError, match="at least 1"):
        signature_dim(2, 0)


def irregular(n=6, n_channels=2, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        times = np.sort(rng.uniform(0, 1, rng.integers(2, 9)))
        out.append((times, rng.normal(size=(len(times), n_channels))))
    return out


def test_transformer_is_the_signature_of_each_path():
    paths = irregular()
    found = SignatureTransformer(3).fit_transform(paths)
    expected = [path_signature(values, 3, times=times) for times, values in paths]
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    block = np.stack([walk(5, 2, k) for k in range(4)])
    expected = [path_signature(one, 2, times=np.arange(5.0)) for one in block]
    assert_allclose(SignatureTransformer(2).fit_transform(block), expected)
    frame = pd.DataFrame(block[:, :, 0])
    assert_allclose(
        SignatureTransformer(2).fit_transform(frame), SignatureTransformer(2).fit_transform(block[:, :, :1])
    )


@pytest.mark.parametrize("interpolation", ["linear", "forward"])
@pytest.mark.parametrize("lead_lag", [False, True])
def test_signature_up_to_a_time_is_that_of_the_path_cut_there(interpolation, lead_lag):
    times, values = np.array([0.0, 0.4, 1.0]), walk(3, 2)
    at = np.array([0.7, 0.0, 1.5, 0.4])
    sig = SignatureTransformer(3, interpolation=interpolation, lead_lag=lead_lag).fit([(times, values)])
    found = sig.transform_at([(times, values)], at)[0]
    for t, row in zip(at, found, strict=True):
        if interpolation == "linear":
            known = times[times <= t]
            grid = np.append(known, t) if t > known[-1] else known
            path = np.column_stack([np.interp(grid, times, column) for column in values.T])
        else:
            k = np.flatnonzero(times <= t)
            path = np.concatenate([np.repeat(values[k], 2, axis=0)[:-1], values[k[-1:]]])
            grid = np.append(np.repeat(times[k], 2)[1:], t)
        assert_allclose(row, path_signature(path, 3, times=grid, lead_lag=lead_lag), rtol=1e-9, atol=1e-12)


def test_forward_interpolation_does_not_look_ahead():
    times, values = np.linspace(0, 1, 9), walk(9, 2)
    later = values.copy()
    later[times > 0.6] += 3.0
    forward = SignatureTransformer(3, interpolation="forward").fit([(times, values)])
    at = [0.3, 0.6, 0.62]
    assert_allclose(forward.transform_at([(times, values)], at)[0], forward.transform_at([(times, later)], at)[0])


def test_gaps_of_a_channel_are_filled_from_itself():
    times, values = np.arange(5.0), walk(5, 2)
    gappy = values.copy()
    gappy[[0, 2, 4], 1] = np.nan
    line = values.copy()
    line[:, 1] = [values[1, 1], values[1, 1], (values[1, 1] + values[3, 1]) / 2, values[3, 1], values[3, 1]]
    stairs = values.copy()
    stairs[:, 1] = values[[1, 1, 1, 3, 3], 1]
    for interpolation, filled in (("linear", line), ("forward", stairs)):
        sig = SignatureTransformer(2, interpolation=interpolation).fit([(times, values)])
        assert_allclose(sig.transform([(times, gappy)]), sig.transform([(times, filled)]))
    masked = np.ma.masked_invalid(gappy[None])
    assert_allclose(SignatureTransformer(2).fit_transform(masked), SignatureTransformer(2).fit_transform(gappy[None]))


def test_names_follow_the_options():
    sig = SignatureTransformer(2, lead_lag=True, log=True).fit([([0.0, 1.0], [0.0, 1.0])])
    assert list(sig.get_feature_names_out(["heart"])) == [
        "logS(t)",
        "logS(heart)",
        "logS(heart')",
        "logS(t,heart)",
        "logS(t,heart')",
        "logS(heart,heart')",
    ]
    assert sig.transform([([0.0, 1.0], [0.0, 1.0])]).shape == (1, 6)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([([0.0, 0.0], [1.0, 2.0])], "times of path 0 must be finite and rise"),
        ([([0.0, 1.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, np.inf])], "path 1 has infinite values"),
        ([([0.0, 1.0], [[1.0, np.nan], [2.0, np.nan]])], "channel 1 of path 0 was never observed"),
        ([([0.0], [1.0]), ([0.0], [[1.0, 2.0]])], "same channels"),
        ([([0.0, 1.0], [1.0])], "path 0 has times of shape"),
        ([([], [])], "path 0"),
    ],
)
def test_bad_paths_are_named(paths, message):
    with pytest.raises(ValueError, match=message):
        as_paths(paths)


def test_other_arguments_are_checked():
    paths = irregular()
    with pytest.raises(ValueError, match="interpolation"):
        SignatureTransformer(interpolation="cubic").fit(paths)
    sig = SignatureTransformer().fit(paths)
    with pytest.raises(ValueError, match="before its first observation"):
        sig.transform_at(paths, [-1.0])
    with pytest.raises(ValueError, match="entries for 2 paths"):
        sig.transform_at(paths, [[1.0], [1.0]])
    with pytest.raises(ValueError, match="3 channels, but 2 were fitted"):
        sig.transform(irregular(n_channels=3))
    for arguments, message in (
        ({"penalty": "bridge"}, "penalty"),
        ({"alpha": 0.0}, "alpha"),
        ({"order_weight": 0.0}, "order_weight"),
        ({"cv": 1}, "cv"),
    ):
        with pytest.raises(ValueError, match=message):
            SigLasso(**arguments).fit(paths, np.zeros(6))
    with pytest.raises(ValueError, match="give times for more"):
        SigLasso().fit(paths, np.zeros(5))
    with pytest.raises(ValueError, match="path 2 has 1 times but targets of shape"):
        SigLasso().fit(paths, [[0.0], [1.0], [1.0, 2.0], [0.0], [0.0], [0.0]], times=[2.0])
    with pytest.raises(ValueError, match="no target"):
        SigLasso().fit(paths, np.full((6, 1), np.nan), times=[2.0])
    with pytest.raises(ValueError, match="give alpha"):
        SigLasso().fit(paths[:1], [[0.0, 1.0]], times=[2.0, 3.0])


def driven(n=40, seed=0):
    """Targets that are linear in integrals of order 2: the area between two channels, plus time."""
    rng = np.random.default_rng(seed)
    paths, times, targets = [], [], []
    for _ in range(n):
        grid = np.sort(np.append(0.0, rng.uniform(0, 1, 10)))
        values = rng.normal(size=(11, 2)).cumsum(axis=0) / 3
        at = np.sort(rng.uniform(0.1, 1.0, 4))
        rows = SignatureTransformer(2, time=False).fit([(grid, values)]).transform_at([(grid, values)], at)[0]
        paths.append((grid, values))
        times.append(at)
        targets.append(1.0 + rows[:, 3] - rows[:, 4] + 0.5 * at + values[0, 0])
    return paths, times, targets


@pytest.mark.parametrize("penalty", ["lasso", "ridge"])
def test_targets_that_are_linear_in_the_signature_are_found(penalty):
    paths, times, targets = driven()
    model = SigLasso(2, penalty=penalty).fit(paths, targets, times)
    test, test_times, test_targets = driven(20, 1)
    assert model.score(test, test_targets, test_times) > 0.99
    found = dict(zip(model.words_, model.coef_, strict=False))
    assert found[(1, 2)] == pytest.approx(1.0, abs=0.1)
    assert found[(2, 1)] == pytest.approx(-1.0, abs=0.1)
    shuffled = SigLasso(2, penalty=penalty).fit(paths, targets[::-1], times)
    assert shuffled.score(test, test_targets, test_times) < 0.5


def test_ridge_of_given_strength_is_ridge_on_the_columns():
    paths, times, targets = driven()
    model = SigLasso(2, penalty="ridge", alpha=1e-9, initial=False).fit(paths, targets, times)
    rows = np.concatenate(SignatureTransformer(2).fit(paths).transform_at(paths, times))
    plain = Ridge(1e-9).fit(rows, np.concatenate(targets))
    assert_allclose(model.predict(paths, times)[0], plain.predict(rows[:4]), rtol=1e-5)


def test_higher_orders_are_penalised_as_asked():
    paths, times, targets = driven()
    size = [np.array([len(word) for word in SigLasso(2).fit(paths, targets, times).words_]) == 2][0]
    found = [
        SigLasso(2, penalty="ridge", alpha=30.0, initial=False, order_weight=w).fit(paths, targets, times).coef_
        for w in (1.0, 4.0, 100.0)
    ]
    squares = [np.square(coef[size]).sum() for coef in found]
    assert squares[0] > 2 * squares[1] > 20 * squares[2]
    rows = np.concatenate(SignatureTransformer(2).fit(paths).transform_at(paths, times))
    plain = Ridge(30.0).fit(rows / rows.std(axis=0), np.concatenate(targets))
    assert_allclose(found[0], plain.coef_ / rows.std(axis=0))


def test_predictions_have_the_form_of_the_times():
    paths, times, targets = driven(8)
    model = SigLasso(1).fit(paths, targets, times)
    assert model.predict(paths).shape == (8,)
    assert model.predict(paths, [1.0, 2.0, 3.0]).shape == (8, 3)
    assert [len(found) for found in model.predict(paths, times)] == [4] * 8
    assert_allclose(model.predict(paths, np.array([1.0]))[:, 0], [f[0] for f in model.predict(paths, [[1.0]] * 8)])


def test_static_columns_and_unobserved_targets():
    paths, times, targets = driven()
    start = np.random.default_rng(3).normal(size=(len(paths), 1))
    moved = [target + 2 * s for target, s in zip(targets, start, strict=True)]
    moved[0] = np.append(moved[0][:3], np.nan)
    model = SigLasso(2).fit(paths, moved, times, static=start)
    assert model.coef_[-1] == pytest.approx(2.0, abs=0.05)
    with pytest.raises(ValueError, match="static has 0 columns, but 1 were fitted"):
        model.predict(paths)
    with pytest.raises(ValueError, match="static has 1 rows"):
        model.predict(paths, static=start[:1])


def test_frames_series_and_ragged_arrays_of_times_and_targets():
    paths, _, _ = driven(12)
    y = np.random.default_rng(0).normal(size=(12, 2))
    model = SigLasso(1, alpha=0.1).fit(paths, y, [0.3, 0.9])
    framed = SigLasso(1, alpha=0.1).fit(paths, pd.DataFrame(y), pd.Series([0.3, 0.9]))
    assert framed.coef_.tolist() == model.coef_.tolist()
    table = np.tile([0.3, 0.9], (12, 1))
    ragged = np.empty(12, dtype=object)
    ragged[:] = [row[: 1 + i % 2] for i, row in enumerate(table)]
    expected = model.predict(paths, [0.3, 0.9])
    for times in (pd.Series([0.3, 0.9]), table, pd.DataFrame(table)):
        assert_allclose(model.predict(paths, times), expected)
    for times in (ragged, list(ragged), pd.Series(ragged)):
        assert_allclose(
            np.concatenate(model.predict(paths, times)), expected[np.arange(2) <= np.arange(12)[:, None] % 2]
        )
    with pytest.raises(ValueError, match="times must be a list"):
        model.predict(paths, 0.3)


def test_weights_of_paths_in_the_score():
    paths, times, targets = driven(12)
    model = SigLasso(1).fit(paths, targets, times)
    weight = np.arange(12) % 2
    targets[1] = np.append(targets[1][:3], np.nan)
    half = model.score(paths[1::2], targets[1::2], times[1::2])
    assert model.score(paths, targets, times, sample_weight=weight) == pytest.approx(half)
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(paths, targets, times, sample_weight=[1.0])


def test_strengths_that_are_tried_are_those_of_scikit_learn(monkeypatch):
    paths, times, targets = driven(12)
    found = SigLasso(2, n_alphas=7).fit(paths, targets, times)
    import covey.generate.signature as module

    monkeypatch.setattr(module, "_strengths", lambda rows, observed, n: n)  # from scikit-learn 1.7 on it takes a number
    try:
        theirs = SigLasso(2, n_alphas=7).fit(paths, targets, times)
    except ValueError:
        pytest.skip("an older scikit-learn")
    assert_allclose(found.coef_, theirs.coef_, atol=1e-10)
    constant = SigLasso(2).fit(paths, np.ones((12, 1)), [0.5])
    assert_allclose(constant.predict(paths, [0.7]), 1.0)


def test_folds_keep_individuals_together(monkeypatch):
    seen = []
    from sklearn.linear_model import LassoCV

    import covey.generate.signature as module

    def spy(**arguments):
        seen.extend(arguments["cv"])
        return LassoCV(**arguments)

    monkeypatch.setattr(module, "LassoCV", spy)
    paths, times, targets = driven(10)
    SigLasso(1).fit(paths, targets, times)
    owner = np.repeat(np.arange(10), 4)
    assert len(seen) == 5
    assert all(not set(owner[train]) & set(owner[test]) for train, test in seen)
