"""Movies of chosen correlation, cells that adapt to them, and how correlations pass through: theory and bad input."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from covey.measure.retina import (
    RetinaLN,
    biphasic_kernel,
    correlated_movie,
    excess_correlation,
    stimulus_correlation_transfer,
)

SHAPE = (12, 12)


def cells(**options):
    return RetinaLN(**{"grid": (2, 3), "spacing": 2.0, "centre_sigma": 0.9, "surround_sigma": 2.0, **options})


@pytest.fixture(scope="module")
def white():
    return correlated_movie(4000, SHAPE, random_state=0)


@pytest.fixture(scope="module")
def natural():
    return correlated_movie(4000, SHAPE, 2.0, 0.9, random_state=1)


@pytest.mark.parametrize("shape", [(12, 12), (9, 14)])
def test_a_movie_has_the_covariance_of_its_spectrum(shape):
    movie = correlated_movie(20000, shape, 2.0, 0.5, random_state=0)
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :])
    frequency[0, 0] = 1 / max(shape)
    covariance = np.fft.ifft2(frequency**-2.0).real
    covariance /= covariance[0, 0]
    at = movie[:, 4, 5]
    for down, right in ((0, 0), (1, 0), (0, 3), (2, 2)):
        aside = movie[:, 4 + down, 5 + right]
        assert np.mean(at * aside) == pytest.approx(covariance[down, right], abs=0.05)
        assert np.mean(at[1:] * aside[:-1]) == pytest.approx(0.5 * covariance[down, right], abs=0.05)


def test_white_noise_is_white_and_starts_as_it_goes_on(white):
    assert np.mean(white[1:] * white[:-1]) == pytest.approx(0.0, abs=0.01)
    assert np.mean(white[:, 1:] * white[:, :-1]) == pytest.approx(0.0, abs=0.01)
    starts = [correlated_movie(2, (20, 20), temporal_correlation=0.99, random_state=seed).var() for seed in range(20)]
    assert np.mean(starts) == pytest.approx(1.0, abs=0.05)


def test_what_the_cells_adapt_to(white, natural):
    resting, adapted = cells().fit(white), cells().fit(natural)
    assert resting.temporal_correlation_ == pytest.approx(0.0, abs=0.01)
    assert adapted.temporal_correlation_ == pytest.approx(0.9, abs=0.02)
    neighbours = np.mean(natural[:, 1:] * natural[:, :-1]) / natural.var()
    assert adapted.spatial_correlation_ == pytest.approx(0.9 * neighbours, abs=0.03)
    assert adapted.time_constant_ == pytest.approx(2.0 - 1.2 * adapted.temporal_correlation_)
    assert adapted.surround_weight_ == pytest.approx(0.5 + 0.5 * adapted.spatial_correlation_)
    assert adapted.gain_ == pytest.approx(1.0 / (0.2 + adapted.drive(natural).std(axis=0)))


def test_what_does_not_adapt_stays_at_rest(white, natural):
    still = cells(adapt=()).fit(natural)
    assert (still.surround_weight_, still.time_constant_) == (0.5, 2.0)
    assert still.gain_ == pytest.approx(1 / 1.2)
    assert still.drive(white).std(axis=0) == pytest.approx(1.0, abs=0.05)


def test_correlation_in_space_alone_does_not_move_the_surround():
    movie = correlated_movie(4000, SHAPE, 2.0, random_state=2)
    assert cells().fit(movie).surround_weight_ == pytest.approx(0.5, abs=0.02)


def test_the_drive_equals_its_definition(natural):
    fitted = cells().fit(natural)
    movie, kernel = natural[:60] - natural.mean(), fitted.temporal_kernel_
    under = np.array([[(frame * bump).sum() for bump in fitted.spatial_filters_] for frame in movie])
    drive = np.array([sum(kernel[k] * under[t - k] for k in range(min(t + 1, len(kernel)))) for t in range(60)])
    np.testing.assert_allclose(fitted.drive(natural[:60]), drive, atol=1e-10)
    expected = np.maximum(fitted.gain_ * drive - 0.5, 0.0)
    np.testing.assert_allclose(fitted.predict(natural[:60]), expected, atol=1e-10)


def test_neighbours_see_white_noise_as_their_centres_overlap(white):
    seen = RetinaLN(grid=(1, 2), spacing=2.0, centre_sigma=1.0, surround_sigma=2.0).fit(white).input(white)
    assert np.corrcoef(seen.T)[0, 1] == pytest.approx(np.exp(-1.0), abs=0.06)


def test_counts_are_poisson_and_seeded(natural):
    fitted = cells().fit(natural)
    rate, counts = fitted.predict(natural), fitted.sample(natural, random_state=3)
    np.testing.assert_array_equal(counts, fitted.sample(natural, random_state=3))
    assert (counts[rate == 0.0] == 0).all() and (rate == 0.0).any()
    residual = (counts - rate)[rate > 0.0]
    assert np.mean(residual**2 / rate[rate > 0.0]) == pytest.approx(1.0, abs=0.15)


@settings(max_examples=10, deadline=None)
@given(gray=st.floats(-1e4, 1e4), seed=st.integers(0, 99))
def test_gray_does_not_matter(gray, seed):
    movie = correlated_movie(50, (6, 6), 1.0, 0.5, random_state=seed)
    small = cells(grid=(2, 2))
    np.testing.assert_allclose(
        clone(small).fit(movie).predict(movie), small.fit(movie + gray).predict(movie + gray), atol=1e-6
    )


def test_cells_can_be_cloned_and_pickled(natural):
    fitted = cells(adapt=("gain",)).fit(natural)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).gain_, fitted.gain_)
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_still_gray_movie_is_no_evidence():
    fitted = cells().fit(np.full((10, *SHAPE), 7.0))
    assert (fitted.surround_weight_, fitted.time_constant_) == (0.5, 2.0)
    assert not fitted.sample(np.full((10, *SHAPE), 7.0), 0).any()


def test_a_biphasic_kernel_scales_with_its_time_constant():
    slow, fast = biphasic_kernel(8.0), biphasic_kernel(4.0)
    assert slow.argmax() == pytest.approx(2 * fast.argmax(), abs=1)
    assert slow.argmin() == pytest.approx(2 * fast.argmin(), abs=1)
    assert slow.argmax() < slow.argmin()
    assert abs(slow[-1]) < 1e-3


def test_transfer_equals_numpy():
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(101, 4)) @ rng.normal(size=(4, 4)) for name in "abc"}
    outputs = {name: rng.poisson(np.exp(x / 2)) for name, x in inputs.items()}
    positions = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [5.0, 5.0]]
    result = stimulus_correlation_transfer(inputs, outputs, positions, reference="b", radius=1.5, bin_width=2)
    pairs = ([0, 0, 1], [1, 2, 2])
    for k, name in enumerate("abc"):
        for side, found in ((inputs, result.input), (outputs, result.output)):
            bins = side[name][:100:2] + side[name][1:100:2]
            np.testing.assert_allclose(found[k], np.corrcoef(bins.T)[pairs], atol=1e-10)
    x, y = (side - side.mean(axis=0) for side in (result.input, result.output))
    assert result.slope == pytest.approx(np.polyfit(x.ravel(), y.ravel(), 1)[0])
    assert result.mean_output["c"] == pytest.approx(result.output[2].mean())
    assert result.excess["b"] == pytest.approx(0.0, abs=1e-12)
    assert result.excess["a"] == pytest.approx(excess_correlation(result.output[0], result.output[1]))
    distances, before, after = result.curve("a")
    np.testing.assert_allclose(distances, [1.0, np.sqrt(2.0)])
    np.testing.assert_allclose(before, [result.input[0, :2].mean(), result.input[0, 2]])
    np.testing.assert_allclose(after, [result.output[0, :2].mean(), result.output[0, 2]])


def test_a_silent_cell_has_no_correlation():
    rng = np.random.default_rng(0)
    signals = {name: rng.normal(size=(50, 3)) for name in "ab"}
    counts = {name: x * [1.0, 1.0, 0.0] for name, x in signals.items()}
    result = stimulus_correlation_transfer(signals, counts, np.eye(3))
    np.testing.assert_array_equal(np.isnan(result.output), [[False, True, True]] * 2)
    assert result.slope == pytest.approx(1.0)
    assert result.mean_output["a"] == pytest.approx(result.input[0, 0])


def test_no_slope_where_no_input_changes():
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert np.isnan(stimulus_correlation_transfer({"a": x, "b": x}, {"a": x, "b": -x}, np.eye(3)).slope)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(-0.9, 5.0), seed=st.integers(0, 999))
def test_excess_is_the_share_that_was_added(share, seed):
    base = np.random.default_rng(seed).uniform(-0.1, 0.15, size=30)
    assert excess_correlation((1 + share) * base, base) == pytest.approx(share, abs=1e-6)
    back = excess_correlation(base, (1 + share) * base)
    assert (1 + back) * (1 + share) == pytest.approx(1.0, rel=1e-6)


def test_excess_is_not_lowered_by_noise_in_the_reference():
    rng = np.random.default_rng(0)
    truth = rng.exponential(0.05, size=20000)
    base, more = truth + 0.05 * rng.normal(size=20000), 1.5 * truth + 0.05 * rng.normal(size=20000)
    assert excess_correlation(more, base) == pytest.approx(0.5, abs=0.04)
    assert (more @ base) / (base @ base) - 1 < 0.2


def test_excess_where_it_is_undefined():
    assert np.isnan(excess_correlation([0.1, 0.2], [0.0, 0.0]))
    assert np.isnan(excess_correlation([0.0, 0.2], [0.1, 0.0]))
    assert excess_correlation([0.0, 0.0], [0.1, 0.2]) == -1.0
    assert excess_correlation([0.2, np.nan], [0.1, 0.3]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="both correlations"):
        excess_correlation([0.1], [0.1, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (4, 4)), "frame"),
        ((5, (1, 4)), "2 by 2"),
        ((5, (4, 4), 0.0, 1.0), "temporal_correlation"),
        ((5, (4, 4), 0.0, -0.1), "temporal_correlation"),
    ],
)
def test_bad_movies(arguments, message):
    with pytest.raises(ValueError, match=message):
        correlated_movie(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": 0.0}, "spacing"),
        ({"peak_rate": -1.0}, "peak_rate"),
        ({"adapt": ("hope",)}, "adapt"),
        ({"grid": (2, 8)}, "does not fit"),
    ],
)
def test_bad_cells(options, message):
    with pytest.raises(ValueError, match=message):
        cells(**options).fit(np.zeros((5, *SHAPE)))


def test_bad_pictures(white):
    with pytest.raises(ValueError, match="3 frames"):
        cells().fit(np.zeros((5, 12)))
    with pytest.raises(ValueError, match="finite"):
        cells().fit(np.where(white > 3.0, np.nan, white))
    with pytest.raises(ValueError, match=r"\(12, 12\)"):
        cells().fit(white).drive(np.zeros((5, 13, 12)))
    with pytest.raises(ValueError, match="time_constant"):
        biphasic_kernel(0.0)


X = np.random.default_rng(0).normal(size=(9, 2))


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "message"),
    [
        ({}, {}, {}, "same stimuli"),
        ({"a": X}, {"b": X}, {}, "same stimuli"),
        ({"a": X}, {"a": X}, {"reference": "b"}, "'b'"),
        ({"a": X}, {"a": X[:, :1]}, {}, "'a'"),
        ({"a": X}, {"a": X}, {"bin_width": 4}, "3 bins"),
        ({"a": X}, {"a": X}, {"bin_width": 0}, "bins"),
        ({"a": X}, {"a": X}, {"radius": 0.5}, "within 0.5"),
    ],
)
def test_bad_transfer(inputs, outputs, options, message):
    with pytest.raises(ValueError, match=message):
        stimulus_correlation_transfer(inputs, outputs, [[0.0], [1.0]], **options)


def test_bad_stimulus_of_a_curve():
    result = stimulus_correlation_transfer({"a": X}, {"a": X}, [[0.0], [1.0]])
    with pytest.raises(ValueError, match="'b'"):
        result.curve("b")
