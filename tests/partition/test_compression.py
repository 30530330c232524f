"""Compressors: what comes out again, in how many bytes, and what their gradients are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from covey.partition._compression import Compressor, Quantiser, TopK, Uncompressed

some_rows = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(-1000, 1000, width=32))
)
compressors = st.one_of(
    st.just(Uncompressed()),
    st.floats(0.01, 1.0).map(TopK),
    st.integers(1, 16).map(Quantiser),
)


def returned(compressor: Compressor, rows: np.ndarray) -> np.ndarray:
    return compressor.unpack(compressor.pack(rows), rows.shape)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(some_rows, compressors)
@settings(max_examples=150, deadline=None)
def test_layouts_foretell_what_is_sent(rows: np.ndarray, compressor: Compressor) -> None:
    packed = compressor.pack(rows)
    back = compressor.pack_gradient(rows, packed, rng())
    for arrays_, layout in ((packed, compressor.layout), (back, compressor.gradient_layout)):
        shapes, dtypes = layout(rows.shape)
        assert [array.shape for array in arrays_] == shapes
        assert [array.dtype for array in arrays_] == [np.dtype(dtype) for dtype in dtypes]
    for found in (compressor.unpack(packed, rows.shape), compressor.unpack_gradient(back, packed, rows.shape)):
        assert found.shape == rows.shape
        assert found.dtype == np.float32


@given(some_rows, st.integers(1, 16))
@settings(max_examples=150, deadline=None)
def test_quantised_values_move_by_at_most_half_a_level(rows: np.ndarray, bits: int) -> None:
    spread = float(rows.max()) - float(rows.min())
    error = np.abs(returned(Quantiser(bits), rows).astype(float) - rows)
    rounding = 4 * np.finfo(np.float32).eps * (np.abs(rows).max() + spread)
    assert error.max() <= 0.5 * spread / (2**bits - 1) + rounding


@given(some_rows, st.integers(1, 16))
@settings(max_examples=100, deadline=None)
def test_quantised_messages_have_bits_a_value_and_eight_bytes(rows: np.ndarray, bits: int) -> None:
    packed = Quantiser(bits).pack(rows)
    assert sum(array.nbytes for array in packed) == int(np.ceil(rows.size * bits / 8)) + 8


def test_levels_include_both_ends_and_a_constant_is_exact() -> None:
    rows = np.array([[-1.0, 0.3, 2.0]], dtype=np.float32)
    assert returned(Quantiser(1), rows).tolist() == [[-1.0, -1.0, 2.0]]
    assert returned(Quantiser(2), rows).tolist() == [[-1.0, 0.0, 2.0]]
    constant = np.full((3, 2), 0.1, dtype=np.float32)
    assert np.array_equal(returned(Quantiser(3), constant), constant)


def test_every_code_of_every_width_comes_back() -> None:
    for bits in range(1, 17):
        codes = np.arange(min(2**bits, 4099), dtype=np.float32)[None, :]
        codes[0, -1] = 2**bits - 1
        assert np.array_equal(returned(Quantiser(bits), codes), codes), bits


def test_quantised_gradients_are_right_on_average() -> None:
    gradient = np.array([[0.0, 0.01, 0.4, 1.0, 3.0]], dtype=np.float32)
    compressor = Quantiser(2)
    packed, generator = compressor.pack(gradient), rng()
    draws = [compressor.unpack(compressor.pack_gradient(gradient, packed, generator), (1, 5)) for _ in range(4000)]
    np.testing.assert_allclose(np.mean(draws, axis=0), gradient, atol=0.03)
    assert np.abs(np.array(draws) - gradient).max() <= 1.0
    assert np.ptp(draws, axis=0)[0].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


@given(some_rows, st.floats(0.01, 1.0))
@settings(max_examples=100, deadline=None)
def test_top_k_keeps_the_largest_of_each_row(rows: np.ndarray, keep: float) -> None:
    n_kept = max(1, round(keep * rows.shape[1]))
    found = returned(TopK(keep), rows)
    assert (found[found != 0] == rows[found != 0]).all()
    largest = -np.sort(-np.abs(rows), axis=1)[:, :n_kept]
    assert np.array_equal(-np.sort(-np.abs(found), axis=1)[:, :n_kept], largest)
    assert (np.count_nonzero(found, axis=1) <= n_kept).all()


def test_top_k_gradients_go_back_where_values_were_kept() -> None:
    rows = np.array([[1.0, -5.0, 3.0], [0.0, 2.0, -1.0]], dtype=np.float32)
    gradient = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)
    compressor = TopK(0.66)
    packed = compressor.pack(rows)
    back = compressor.pack_gradient(gradient, packed, rng())
    assert sum(array.nbytes for array in back) == 2 * 2 * 4
    found = compressor.unpack_gradient(back, packed, rows.shape)
    assert np.array_equal(found, np.where([[0, 1, 1], [0, 1, 1]], gradient, np.float32(0)))


@pytest.mark.parametrize(("n_values", "position"), [(256, 1), (257, 2), (65537, 4)])
def test_positions_take_as_many_bytes_as_they_need(n_values: int, position: int) -> None:
    rows = np.arange(n_values, dtype=np.float32)[None, :]
    positions, values = TopK(1 / n_values).pack(rows)
    assert (positions.nbytes, values.nbytes) == (position, 4)
    assert returned(TopK(1 / n_values), rows)[0, -1] == n_values - 1


def test_a_position_outside_the_row_is_refused() -> None:
    with pytest.raises(ValueError, match="position 7, but rows have 3 values"):
        TopK(0.5).unpack((np.array([[7]], dtype=np.uint8), np.ones((1, 1), dtype=np.float32)), (1, 3))


@pytest.mark.parametrize("bits", [0, 17, 2.5, "8"])
def test_bits_out_of_range(bits: object) -> None:
    with pytest.raises(ValueError, match="bits must be a whole number from 1 to 16"):
        Quantiser(bits)  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.1, float("nan")])
def test_keep_out_of_range(keep: float) -> None:
    with pytest.raises(ValueError, match="keep must be a share"):
        TopK(keep)
