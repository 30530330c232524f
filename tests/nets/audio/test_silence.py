"""Silence ratio, frame features and their statistics: known waves, invariance, bad input."""

import numpy as np
import pytest

from covey.nets.audio.silence import frame_features, frames, high_level_statistics, silence_ratio


def test_silence_ratio_counts_quiet_frames_at_any_loudness():
    rng = np.random.default_rng(0)
    wave = rng.normal(size=8000) * np.repeat([1.0, 0.05, 1.0, 1.0], 2000)
    for gain in (1.0, 1e-3, 1e4):
        assert silence_ratio(gain * wave, length=100, hop=100) == 0.25
    assert silence_ratio(wave, factor=0.01, length=100, hop=100) == 0.0
    assert silence_ratio(wave, factor=2.0, length=100, hop=100) == 1.0


@pytest.mark.parametrize("reference", ["median", "mean", "max"])
def test_silence_ratio_by_definition(reference):
    wave = np.random.default_rng(1).normal(size=3000) * np.linspace(0.0, 1.0, 3000)
    energy = np.array([np.sqrt(np.mean(wave[s : s + 200] ** 2)) for s in range(0, 2801, 150)])
    expected = np.mean(energy < 0.4 * getattr(np, reference)(energy))
    assert silence_ratio(wave, 0.4, reference, length=200, hop=150) == expected


def test_features_of_a_tone():
    tone = 0.5 * np.sin(2 * np.pi * 0.1 * np.arange(2000))
    found = frame_features(tone).mean(axis=0)
    assert found[0] == pytest.approx(10 * np.log10(0.125), abs=0.05)
    assert found[1] == pytest.approx(0.2, abs=0.01)
    assert found[2] == pytest.approx(0.1, abs=0.001)
    assert found[3] < 0.01
    assert found[5] == pytest.approx(0.1, abs=0.005)


def test_slope_tells_dark_from_bright():
    rng = np.random.default_rng(2)
    bright = rng.normal(size=4000)
    assert frame_features(np.cumsum(bright))[:, 4].mean() < frame_features(bright)[:, 4].mean() - 10


def test_statistics_and_frames():
    features = np.random.default_rng(3).normal(size=(20, 3))
    np.testing.assert_allclose(high_level_statistics(features), [*features.mean(0), *features.std(0)])
    assert frames(np.arange(10.0), 4, 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: silence_ratio(np.ones(500), factor=0.0), "factor"),
        (lambda: silence_ratio(np.ones(500), reference="mode"), "reference"),
        (lambda: silence_ratio(np.ones(50)), "at least 400"),
        (lambda: silence_ratio(np.full(500, np.nan)), "missing"),
        (lambda: frames(np.ones(500), hop=0), "positive"),
        (lambda: high_level_statistics(np.zeros((0, 2))), "frame"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_silence_of_nothing_is_undefined():
    assert np.isnan(silence_ratio(np.zeros(500)))
