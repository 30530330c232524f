"""Sentiment of headlines: counting, daily balance, trailing windows, bad input."""

import numpy as np
import pytest

from covey.measure.sentiment import cumulative_sentiment, headline_polarity, net_sentiment


def test_polarity_counts_whole_words_without_case():
    headlines = ["Gains GAINS and a loss", "gainsay", "Loss", "loss gain gain loss", ""]
    assert headline_polarity(headlines, {"gains", "gain"}, {"Loss"}).tolist() == [1, 0, -1, 0, 0]


def test_net_sentiment_of_days():
    score = net_sentiment([1, -1, -1, 0, 1], [0, 0, 0, 1, 3], n_days=5)
    np.testing.assert_allclose(score, [-1 / 3, np.nan, np.nan, 1.0, np.nan])


def test_cumulative_sentiment_by_definition():
    rng = np.random.default_rng(0)
    score = rng.normal(size=50)
    score[[3, 20, 21, 22]] = np.nan
    found = cumulative_sentiment(score, 3, 10)
    for day in range(50):
        past, recent = score[max(day - 9, 0) : day + 1], score[max(day - 2, 0) : day + 1]
        if day < 9 or np.isnan(recent).all():
            assert np.isnan(found[day])
        else:
            assert found[day] == pytest.approx(3 * (np.nanmean(recent) - np.nanmean(past)))


def test_only_the_past_is_used_and_a_steady_level_is_no_news():
    score = np.random.default_rng(1).normal(size=40)
    before = cumulative_sentiment(score, 4, 12)
    score[30:] += 5.0
    np.testing.assert_array_equal(before[:30], cumulative_sentiment(score, 4, 12)[:30])
    np.testing.assert_allclose(cumulative_sentiment(np.full(20, 0.7), 4, 12)[11:], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: headline_polarity("one string", {"a"}, {"b"}), TypeError, "list of strings"),
        (lambda: headline_polarity([3], {"a"}, {"b"}), TypeError, "3"),
        (lambda: headline_polarity(["x"], {"a"}, {"A"}), ValueError, "both lexicons: a"),
        (lambda: net_sentiment([1], [0, 1]), ValueError, "shapes"),
        (lambda: net_sentiment([1], [3], n_days=2), ValueError, "days"),
        (lambda: cumulative_sentiment([1.0, 2.0], 3), ValueError, "window"),
        (lambda: cumulative_sentiment([1.0, 2.0], 1, 1), ValueError, "trend_window"),
        (lambda: cumulative_sentiment([1.0, np.inf, 2.0], 2), ValueError, "infinite"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
