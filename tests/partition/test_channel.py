"""Messages between parties: checked, copied, counted, and never waited for in vain."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from covey.partition._channel import ChannelError, LocalNetwork, Message, Traffic


def two(active, passive, **settings):
    """Run a label holder and one other party."""
    network = LocalNetwork(2, **settings)
    return network.run([active, passive]), network


def test_arrays_are_copied_and_read_only():
    sent = np.arange(4.0)

    def passive(channel):
        channel.send(0, "x", sent)
        sent[:] = -1

    def active(channel):
        came = channel.receive(1, "x", (4,), np.float64)
        with pytest.raises(ValueError, match="read-only"):
            came[0] = 5
        return came

    (came, _), _ = two(active, passive)
    assert came.tolist() == [0, 1, 2, 3]


def test_several_arrays_in_one_message():
    def passive(channel):
        channel.send(0, "pair", np.zeros((2, 3)), np.int8(7))

    (pair, _), network = two(lambda c: c.receive_many(1, "pair", [(None, 3), ()], [float, np.int8]), passive)
    assert [array.shape for array in pair] == [(2, 3), ()]
    assert network.traffic.sent == {(1, 0, "pair"): (49, 1)}


@pytest.mark.parametrize(
    ("arrays", "ask", "words"),
    [
        ([1.0], {"tag": "y"}, "party 1 sent 'x' where 'y' was due"),
        ([1.0, 2.0], {}, "party 1 sent 2 arrays as 'x', not 1"),
        ([np.zeros(3)], {"shape": (4,)}, r"party 1 sent 'x' of shape \(3,\) where \(4\) was due"),
        ([np.zeros(3)], {"shape": (None, 2)}, r"where \(any, 2\) was due"),
        ([np.zeros(3, np.float32)], {"dtype": np.float64}, "of dtype float32 where float64 was due"),
        ([[np.nan]], {}, "party 1 sent 'x' with values that are not finite"),
        ([[1j * np.inf]], {}, "values that are not finite"),
    ],
)
def test_what_does_not_belong_is_named(arrays, ask, words):
    def active(channel):
        return channel.receive(1, **{"tag": "x"} | ask)

    with pytest.raises(ChannelError, match=words):
        two(active, lambda channel: channel.send(0, "x", *arrays))


@pytest.mark.parametrize("value", ["text", [None], np.array(["2020"], dtype="M8[D]")])
def test_only_numbers_are_sent(value):
    with pytest.raises(TypeError, match="message 'x': only arrays of numbers can be sent"):
        LocalNetwork(2).channels[0].send(1, "x", value)


@pytest.mark.parametrize("to", [0, 2, -1])
def test_a_receiver_that_is_none(to):
    with pytest.raises(ValueError, match=f"party 0 can send to the other parties of 0 to 1, not to {to}"):
        LocalNetwork(2).channels[0].send(to, "x", 1.0)


def test_silence_ends():
    with pytest.raises(ChannelError, match="party 1 sent no 'x' within 0 s"):
        two(lambda channel: channel.receive(1, "x"), lambda channel: None, timeout=0.05)


def test_the_first_failure_is_raised_and_stops_all():
    seen = []

    def waits(channel, sender):
        try:
            channel.receive(sender, "x")
        except ChannelError as error:
            seen.append(str(error))
            raise

    def fails(channel):
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        LocalNetwork(3, active=2).run([partial(waits, sender=2), partial(waits, sender=2), fails])
    assert seen == ["party 2 ended the run: KeyError: 'broken'"] * 2


@pytest.mark.parametrize(("size", "active"), [(0, 0), (2, 2), (2, -1)])
def test_networks_that_cannot_be(size, active):
    with pytest.raises(ValueError):
        LocalNetwork(size, active)


def test_broadcast_and_gather_go_by_rank():
    def passive(channel):
        channel.send(1, "x", channel.rank)
        return float(channel.receive(1, "sum"))

    def active(channel):
        found = [int(value) for value in channel.gather("x")]
        channel.broadcast("sum", float(sum(found)))
        return found

    network = LocalNetwork(4, active=1)
    assert network.run([passive, active, passive, passive]) == [5, [0, 2, 3], 5, 5]
    assert network.traffic.by_link()[1, 3] == (8, 1)
    assert network.traffic.by_tag() == {"sum": (24, 3), "x": (24, 3)}


def test_the_record_keeps_the_tags_that_it_was_told():
    def passive(channel):
        channel.send(0, "a", 1.0)
        channel.send(0, "b", 2.0)

    for record, tags in ((("b",), ["b"]), (("*",), ["a", "b"]), ((), [])):
        _, network = two(lambda c: (c.receive(1, "a"), c.receive(1, "b")), passive, record=record)
        assert [[m.tag for m in channel.transcript] for channel in network.channels] == [tags, tags]


def exchanges(directions):
    """Traffic of one link, as rank 0 saw it: 0 is to party 1, 1 from it."""
    traffic = Traffic()
    for sender in directions:
        traffic.count(Message(sender, 1 - sender, "x", (np.zeros(2),)), seen_by=0)
    return traffic


@pytest.mark.parametrize(
    ("directions", "rounds"), [([], 0), ([0], 1), ([0, 0], 1), ([0, 1], 1), ([0, 1, 0], 2), ([1, 0, 0, 1, 1, 0], 2)]
)
def test_a_round_is_there_and_back(directions, rounds):
    traffic = exchanges(directions)
    assert (traffic.rounds, traffic.messages, traffic.bytes) == (rounds, len(directions), 16 * len(directions))


def test_two_ends_of_one_run_count_once_and_two_runs_twice():
    def passive(channel):
        channel.send(0, "x", np.zeros(3))

    _, network = two(lambda channel: channel.receive(1, "x"), passive)
    ends = [channel.traffic for channel in network.channels]
    assert ends[0].merge(ends[1]).bytes == 24
    total = ends[0] + ends[0]
    assert (total.bytes, total.messages, total.rounds) == (48, 2, 1)


def test_traffic_goes_on_where_it_was_written_down():
    whole = exchanges([0, 1, 1, 0, 0, 1])
    part = Traffic.from_state(json.loads(json.dumps(exchanges([0, 1, 1, 0]).state())))
    for sender in (0, 1):
        part.count(Message(sender, 1 - sender, "x", (np.zeros(2),)), seen_by=0)
    assert part == whole
    assert part.rounds == whole.rounds == 2


def test_traffic_as_json():
    told = json.loads(json.dumps(exchanges([0, 1, 1]).to_dict()))
    assert told == {
        "bytes": 48,
        "messages": 3,
        "rounds": 1,
        "links": [{"from": 0, "to": 1, "bytes": 16, "messages": 1}, {"from": 1, "to": 0, "bytes": 32, "messages": 2}],
    }
