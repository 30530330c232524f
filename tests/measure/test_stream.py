from __future__ import annotations

import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure._coding import MAX_LEVELS
from covey.table import iter_blocks, read
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps

N = 30_000
CATEGORY_MEASURES = ["auto", "cramers_v", "distance_correlation", "hsic", "mutual_information", "theils_u"]


@pytest.fixture(scope="module")
def data():
    return table(*with_gaps(mixed_columns(N), 0.1))


def streamed(source, rows=7000, engine=None, **options):
    return associate(iter_blocks(source, rows=rows), engine=engine, **options)


@pytest.mark.parametrize("measure", ["pearson", "spearman", "auto", "distance_correlation"])
def test_streams_equal_memory(data, measure):
    stream, memory = streamed(data, measure=measure), associate(data, measure=measure)
    tolerance = {"pearson": 1e-9, "spearman": 1e-5}.get(measure, 2e-3)
    assert stream.rows == memory.rows
    np.testing.assert_allclose(stream.values**2, memory.values**2, atol=tolerance)
    applies = memory.reasons == 0
    np.testing.assert_array_equal(stream.n[applies], memory.n[applies])
    np.testing.assert_array_equal(stream.reasons, memory.reasons)
    assert stream.info["rows"] == N
    if memory.sign is not None:
        np.testing.assert_array_equal(stream.sign, memory.sign)


@pytest.mark.parametrize("measure", CATEGORY_MEASURES)
def test_columns_of_few_values_stream_exactly(measure):
    few = table(*with_gaps(mixed_columns(5000, decimals=0), 0.1))
    stream, memory = streamed(few, rows=1300, measure=measure), associate(few, measure=measure)
    np.testing.assert_allclose(stream.values, memory.values, atol=1e-9)
    np.testing.assert_allclose(stream.pvalues, memory.pvalues, rtol=1e-6, atol=1e-9)


def adversarial():
    rng = np.random.default_rng(1)
    x = rng.standard_cauchy(N)
    half = np.where(rng.random(N) < 0.5, 0.0, rng.lognormal(0, 3, N))
    rare = np.where(rng.random(N) < 0.97, 0.0, rng.normal(size=N))
    bulk = np.concatenate([1e-9 * rng.normal(size=N // 2), rng.standard_cauchy(N // 2)])
    return np.column_stack(
        [x, x + rng.normal(size=N), half, half * np.exp(rng.normal(size=N)), rare, rare**3 + 0.1 * rare, bulk, bulk**3]
    )


@pytest.mark.parametrize("rows", [1500, 29_000])
def test_streamed_spearman_is_within_its_own_bound(rows):
    x = adversarial()
    stream, memory = streamed(x, rows=rows, measure="spearman"), associate(x, measure="spearman")
    assert np.all(np.abs(stream.values - memory.values) <= stream.error_bound + 1e-12)
    assert 0 < np.median(stream.error_bound) < 0.05
    assert any("quantile sketch" in note for note in stream.info["notes"])


def test_workers_do_not_change_a_bit(data):
    for measure in ("pearson", "spearman", "auto"):
        one, two = (streamed(data, measure=measure, engine=LocalEngine(k)) for k in (1, 2))
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_array_equal(one.pvalues, two.pvalues)


def test_the_size_of_blocks_hardly_matters(data):
    small, large = (streamed(data, rows=rows, measure="auto") for rows in (997, 20_000))
    np.testing.assert_allclose(small.values, large.values, atol=5e-3)
    np.testing.assert_array_equal(small.n, large.n)


def test_a_first_block_that_is_all_missing():
    x, e = np.random.default_rng(0).normal(size=(2, 8000))
    late = 1e9 + x
    late[:3000] = np.nan
    blocks = iter_blocks(np.column_stack([late, x + e]), rows=1000, kinds={"x0": "numeric"})
    matrix = associate(blocks, measure="pearson")
    assert matrix.values[0, 1] == pytest.approx(np.corrcoef(x[3000:], (x + e)[3000:])[0, 1], abs=1e-6)


def test_target(data):
    whole, one = streamed(data, measure="auto"), streamed(data, measure="auto", target="team")
    assert one.shape == (len(whole.rows) - 1, 1)
    for name in one.rows:
        assert one[name, "team"] == whole[name, "team"]
    with pytest.raises(ValueError, match="did you mean 'team'"):
        streamed(data, target="tem")


def test_what_cannot_be_streamed_says_so(data):
    for measure in ("kendall", "chatterjee_xi"):
        with pytest.raises(ValueError, match=f"{measure} is no sum over rows"):
            streamed(data, measure=measure)
    with pytest.raises(ValueError, match="cannot be streamed"):
        associate(iter_blocks(data), data)


def test_ten_thousand_categories():
    n = 20_000
    codes = np.random.default_rng(0).integers(0, 10_000, n)
    many = table(category("many", codes, 10_000), category("half", codes % 2), number("x", codes % 7))
    memory, stream = associate(many), streamed(many)
    for matrix in (memory, stream):
        assert any(f"rarest {10_000 - MAX_LEVELS + 1} of 10000" in note for note in matrix.info["notes"])
    assert stream["many", "half"] == pytest.approx(memory["many", "half"], abs=0.02)


def test_one_block_of_one_row():
    matrix = streamed(read(np.array([[1.0, 2.0]])), measure="auto")
    assert np.isnan(matrix.values).all() and matrix.info["rows"] == 1
