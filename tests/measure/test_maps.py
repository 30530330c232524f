"""Maps against masks: Pearson by definition, sizes and intervals; what draws the saliency of Itti, Koch and Niebur."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure import MapMaskCorrelation, itti_saliency, map_mask_correlation


def pictures(n=6, seed=0):
    rng = np.random.default_rng(seed)
    masks = rng.random((n, 3, 8, 9)) < np.array([0.1, 0.3, 0.6])[:, None, None]
    return rng.normal(size=(n, 8, 9)) + masks[:, 1], masks


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-100, 100))
def test_correlation_is_pearson_over_pixels_whatever_the_maps_scale(seed, scale, shift):
    maps, masks = pictures(seed=seed)
    result = map_mask_correlation(scale * maps + shift, masks)
    for i in range(6):
        for c in range(3):
            expected = np.corrcoef(maps[i].ravel(), masks[i, c].ravel())[0, 1]
            np.testing.assert_allclose(result.correlation[i, c], expected, atol=1e-9)
            assert result.size[i, c] == masks[i, c].mean()


def test_absent_and_full_masks_and_constant_maps_are_undefined_and_left_out():
    maps, masks = pictures()
    masks[0, 0], masks[1, 0] = 0, 1
    maps[2] = 0.1
    result = map_mask_correlation(maps, masks)
    assert np.isnan(result.correlation[[0, 1, 2], 0]).all() and np.isfinite(result.correlation).sum() == 18 - 5
    means = [np.nanmean(result.correlation[:, c]) for c in range(3)]
    np.testing.assert_allclose(result.by_category, means)
    assert result.mean_average_rho == pytest.approx(np.mean(means))
    masks[:, 2] = 0
    never = map_mask_correlation(maps, masks)
    assert np.isnan(never.by_category[2])
    assert never.mean_average_rho == pytest.approx(np.mean(means[:2]))


def test_bins_of_size_hold_their_lower_edge():
    result = MapMaskCorrelation(np.array([[0.1, 0.3], [0.5, np.nan]]), np.array([[0.1, 0.2], [0.3, 0.2]]))
    np.testing.assert_allclose(result.by_size([0, 0.2, 0.4, 1]), [0.1, 0.4, np.nan])


def test_interval_holds_the_mean_and_narrows_with_images():
    rng = np.random.default_rng(0)
    few, many = (MapMaskCorrelation(rng.normal(0.3, 0.1, size=(n, 2)), np.ones((n, 2))) for n in (20, 500))
    ranges = [r.interval() for r in (few, many)]
    assert all(low < r.mean_average_rho < high for r, (low, high) in zip((few, many), ranges, strict=True))
    width = 2 * 1.96 * 0.1 / np.sqrt(2 * 500)
    assert ranges[1][1] - ranges[1][0] == pytest.approx(width, rel=0.2)
    assert ranges[0][1] - ranges[0][0] > 2 * width


def test_interval_of_a_difference_is_paired():
    correlation = np.random.default_rng(0).normal(0.3, 0.2, size=(40, 2))
    better = MapMaskCorrelation(correlation + 0.05, np.ones((40, 2)))
    np.testing.assert_allclose(better.interval(against=MapMaskCorrelation(correlation, better.size)), 0.05)


@pytest.mark.parametrize("draw", ["brighter", "redder", "turned"])
def test_the_odd_one_out_is_salient(draw):
    image = np.full((96, 96, 3), 0.3)
    for row in range(8, 96, 16):
        for column in range(8, 96, 16):
            image[row - 4 : row + 5, column - 1 : column + 2] = 0.5
    odd = (slice(34, 47), slice(50, 63))
    if draw == "brighter":
        image[36:45, 55:58] = 1.0
    elif draw == "redder":
        image[36:45, 55:58] = [1.0, 0.25, 0.25]
    else:
        image[36:45, 55:58] = 0.3
        image[39:42, 52:61] = 0.5
    saliency = itti_saliency(image)
    others = np.ones((96, 96), dtype=bool)
    others[odd] = False
    assert saliency[odd].mean() > 2 * saliency[others].mean()


def test_saliency_turns_with_the_image_and_ignores_its_brightness():
    image = np.random.default_rng(0).random((48, 48, 3))
    np.testing.assert_allclose(itti_saliency(image[:, ::-1]), itti_saliency(image)[:, ::-1], atol=1e-10)
    np.testing.assert_allclose(itti_saliency(3 * image), itti_saliency(image), atol=1e-10)
    grey = image[:, :, 0]
    np.testing.assert_allclose(itti_saliency(grey), itti_saliency(np.repeat(grey[:, :, None], 3, axis=2)))


def test_one_colour_is_not_salient():
    assert not itti_saliency(np.full((32, 40, 3), [0.2, 0.5, 0.3])).any()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: map_mask_correlation(np.ones((2, 4, 4)), np.ones((3, 1, 4, 4))), "shape"),
        (lambda: map_mask_correlation(np.full((1, 4, 4), np.nan), np.ones((1, 1, 4, 4))), "finite"),
        (lambda: map_mask_correlation(*pictures()).by_size([1, 0]), "ascend"),
        (lambda: map_mask_correlation(*pictures()).interval(1.0), "level"),
        (lambda: map_mask_correlation(*pictures()).interval(against=map_mask_correlation(*pictures(5))), "against"),
        (lambda: itti_saliency(np.ones((8, 30))), "16 pixels"),
        (lambda: itti_saliency(-np.ones((20, 30))), "negative"),
    ],
)
def test_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()
