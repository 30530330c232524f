"""Frames: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import json
import struct
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from covey.partition._frames import FRAME, FrameError, FrameReader, FrameWriter, Kind, Packet, encode

HEADER = struct.Struct("<4sBBQQQII")


PACKET = Packet(Kind.DATA, "x", (np.arange(4.0),))


def one_frame(packet=PACKET, writer=None):
    (frame,) = (writer or FrameWriter()).frames(packet.kind, encode(packet))
    return frame


def forged(body, kind=1, version=1, number=0, total=None, offset=0, length=None, magic=b"covf"):
    """A frame whose checksum is right, whatever it says."""
    fields = magic, version, kind, number, len(body) if total is None else total, offset
    fields = *fields, len(body) if length is None else length
    return HEADER.pack(*fields, crc32(body, crc32(HEADER.pack(*fields, 0)))) + body


def described(layout, content=b"", text="x"):
    description = json.dumps([text, layout]).encode()
    return struct.pack("<I", len(description)) + description + content


def read(*frames, **settings):
    return FrameReader(**settings).read(iter(frames).__next__)


@given(
    st.lists(
        hnp.arrays(
            st.sampled_from(["?", "i1", "u2", "<i4", ">i4", "<i8", "f2", "f4", "<f8", ">f8", "c16"]),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.text(max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_arrays_come_out_as_they_went_in(arrays, text):
    packet = read(one_frame(Packet(Kind.DATA, text, tuple(arrays))))
    assert (packet.kind, packet.text, len(packet.arrays)) == (Kind.DATA, text, len(arrays))
    for sent, came in zip(arrays, packet.arrays):
        assert (came.shape, came.dtype) == (sent.shape, sent.dtype.newbyteorder("<"))
        np.testing.assert_array_equal(came, sent)
        assert not came.flags.writeable
        assert came.flags.aligned


def test_large_messages_take_several_frames_and_small_ones_follow():
    large = np.random.default_rng(0).normal(size=300_000)
    writer, reader = FrameWriter(), FrameReader()
    packets = [Packet(Kind.DATA, "large", (large, large[:3])), Packet(Kind.END)]
    frames = [frame for packet in packets for frame in writer.frames(packet.kind, encode(packet))]
    assert [len(frame) == FRAME for frame in frames] == [True, True, False, False]
    receive = iter(frames).__next__
    first, second = reader.read(receive), reader.read(receive)
    np.testing.assert_array_equal(first.arrays[0], large)
    assert second == Packet(Kind.END)


def test_bytes_behind_a_frame_do_not_matter():
    assert read(bytes(one_frame()) + b"\1" * 1000).arrays[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("place", [6, 20, 30, HEADER.size + 8, -1])
def test_one_wrong_bit_is_found(place):
    frame = one_frame()
    frame[place] ^= 4
    with pytest.raises(FrameError):
        read(frame)


def test_a_frame_cut_short_is_found_though_the_buffer_holds_the_last_one():
    writer, reader = FrameWriter(), FrameReader()
    buffer = bytearray(FRAME)
    frames = [one_frame(Packet(Kind.DATA, "x", (np.full(9, value),)), writer) for value in (1.5, 2.5)]
    buffer[: len(frames[0])] = frames[0]
    reader.read(lambda: buffer)
    buffer[: len(frames[1]) - 10] = frames[1][:-10]
    with pytest.raises(FrameError, match="truncated or damaged"):
        reader.read(lambda: buffer)


@pytest.mark.parametrize("order", [(0, 0), (1,), (0, 2)])
def test_repeated_and_lost_frames_are_found(order):
    writer, reader = FrameWriter(), FrameReader()
    frames = [one_frame(writer=writer) for _ in range(3)]
    with pytest.raises(FrameError, match=r"frame \d came where \d was due"):
        for k in order:
            reader.read(lambda k=k: frames[k])


def test_a_message_within_a_message_is_found():
    big = encode(Packet(Kind.DATA, "big", (np.zeros(300_000),)))
    first = next(FrameWriter().frames(Kind.DATA, big))
    with pytest.raises(FrameError):
        read(first, forged(described([]), number=1))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"short", "no header"),
        (forged(described([]), magic=b"http"), "no message of covey"),
        (forged(described([]), version=2), "version 2, this covey speaks 1"),
        (forged(described([]), kind=77), "contradicts itself"),
        (forged(described([]), offset=3), "contradicts itself"),
        (forged(described([]), length=2), "contradicts itself"),
        (forged(b"", total=0), "contradicts itself"),
        (forged(b"abc"), "no description"),
        (forged(struct.pack("<I", 900) + b"{}"), "no description"),
        (forged(struct.pack("<I", 2) + b"{}"), "not readable"),
        (forged(struct.pack("<I", 2) + b"\xff\xfe"), "not readable"),
        (forged(described([["<f8", 3]])), "not readable"),
        (forged(described([], text=7)), "not readable"),
        (forged(described([["|O", [1]]], b"12345678")), r"dtype '\|O'"),
        (forged(described([["<M8[s]", [1]]], b"12345678")), "dtype"),
        (forged(described([["<f8", [-1]]])), "no possible shape"),
        (forged(described([["<f8", [True]]], b"12345678")), "no possible shape"),
        (forged(described([["<f8", [1 << 60, 1 << 60]]])), "no possible shape"),
        (forged(described([["<f8", [1] * 40]], b"12345678")), "no possible shape"),
        (forged(described([["<f8", [2]]], b"12345678")), "describes 16 bytes and brings 8"),
        (forged(described([["<f8", [0]]], b"1")), "describes 0 bytes and brings 1"),
    ],
)
def test_garbage_is_named(frame, words):
    with pytest.raises(FrameError, match=words):
        read(frame)


def test_a_claim_of_more_than_the_limit_is_not_waited_for():
    with pytest.raises(FrameError, match="1,000,000 bytes exceeds the limit of 999"):
        read(forged(b"x" * 10, total=1_000_000), max_bytes=999)


@pytest.mark.parametrize("dtype", ["O", "M8[s]", "U3", np.longdouble])
def test_what_others_may_not_know_is_not_sent(dtype):
    with pytest.raises(TypeError, match=r"message 'x': dtype .* cannot be sent"):
        encode(Packet(Kind.DATA, "x", (np.zeros(2, dtype),)))


def test_too_many_arrays():
    with pytest.raises(ValueError, match="9999 arrays are too many"):
        encode(Packet(Kind.DATA, "x", (np.zeros(1),) * 9999))
