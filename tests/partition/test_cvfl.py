"""C-VFL: what it has in common with SplitNN, what its local steps are, and what it sends."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import nn

from covey.partition._channel import Channel
from covey.partition.cvfl import CVFL
from covey.partition.splitnn import FeatureParty, SplitNN
from tests.partition.test_splitnn import Joint, encoded, started, step

Parts = list[NDArray[np.float64]]
SMALL: dict[str, Any] = {"hidden": (16,), "cut": 8, "fusion": (12,), "batch_size": 32}


@pytest.fixture(scope="module")
def parts() -> tuple[Parts, NDArray]:
    """Two hundred digits, three parties."""
    X, y = load_digits(return_X_y=True)
    return [X[:200, k::3] for k in range(3)], y[:200]


@pytest.fixture(scope="module")
def digits() -> tuple[Parts, NDArray]:
    """All digits, four parties."""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    return [X[rows][:, k::4] for k in range(4)], y[rows]


@pytest.fixture(scope="module")
def uncompressed(digits: tuple[Parts, NDArray]) -> SplitNN:
    X, y = digits
    return SplitNN(n_epochs=16).fit([part[:1400] for part in X], y[:1400])


def test_uncompressed_single_steps_are_splitnn_bit_for_bit(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    plain = SplitNN(**SMALL, n_epochs=3).fit(X, y, label_party=1)
    same = CVFL(**SMALL, n_epochs=3, compressor="none", local_steps=1).fit(X, y, label_party=1)
    assert np.array_equal(plain.scores(X), same.scores(X))
    assert plain.traffic_.by_tag() == same.traffic_.by_tag()


@pytest.mark.parametrize("label_party", [0, 1])
@pytest.mark.parametrize("without_features", [False, True])
def test_with_shared_labels_single_steps_descend_the_same_loss(
    parts: tuple[Parts, NDArray], label_party: int, without_features: bool
) -> None:
    X, y = list(parts[0]), parts[1]
    if without_features:
        X[label_party] = np.empty((200, 0))
    plain = SplitNN(**SMALL, n_epochs=3).fit(X, y, label_party=label_party)
    shared = CVFL(**SMALL, n_epochs=3, compressor="none", local_steps=1, labels="shared")
    np.testing.assert_allclose(shared.fit(X, y, label_party=label_party).scores(X), plain.scores(X), atol=2e-3)


@pytest.mark.parametrize("labels", ["private", "shared"])
def test_local_steps_are_what_each_party_can_do_with_what_it_knows(parts: tuple[Parts, NDArray], labels: str) -> None:
    X, y = parts
    model = CVFL(**SMALL | {"batch_size": 200}, compressor="none", local_steps=3, labels=labels, weight_decay=0.01)
    network, parties = started(model, X[:2], y)
    joint, inputs, target = Joint(parties, 0), encoded(parties, X), torch.tensor(y)
    step(network, parties, 0)

    stale = [embedding.detach().requires_grad_() for embedding in joint.embeddings(inputs)]
    loss = nn.functional.cross_entropy(joint.top(torch.cat(stale, dim=1)), target)
    (gradient,) = torch.autograd.grad(loss, stale[1:])
    below, holder = copy.deepcopy(joint), copy.deepcopy(joint)
    mine = torch.optim.Adam(below.bottoms[1].parameters(), lr=1e-3, weight_decay=0.01)
    theirs = torch.optim.Adam([*holder.bottoms[0].parameters(), *holder.top.parameters()], lr=1e-3, weight_decay=0.01)
    for _ in range(3):
        mine.zero_grad()
        embedding = below.bottoms[1](inputs[1])
        if labels == "private":
            embedding.backward(gradient)
        else:
            scores = joint.top(torch.cat([stale[0].detach(), embedding], dim=1))
            nn.functional.cross_entropy(scores, target).backward()
        mine.step()
        theirs.zero_grad()
        scores = holder.top(torch.cat([holder.bottoms[0](inputs[0]), stale[1].detach()], dim=1))
        nn.functional.cross_entropy(scores, target).backward()
        theirs.step()
    pairs = [
        (parties[1].bottom, below.bottoms[1]),
        (parties[0].bottom, holder.bottoms[0]),
        (parties[0].top, holder.top),
    ]
    for found, wanted in pairs:
        assert found is not None
        for a, b in zip(found.parameters(), wanted.parameters()):
            # A derivative near 0 leaves the direction of Adam's first steps to rounding.
            assert (a - b).abs().median() < 1e-6
            assert ((a - b).abs() < 1e-4).float().mean() > 0.99


def test_bytes_are_exact(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    settings = {"hidden": (5,), "cut": 10, "n_epochs": 6, "batch_size": 64, "local_steps": 2}
    passive, batches, exchanges = 2, [64, 64, 64, 8], 3

    def traffic(**more: Any) -> dict[str, tuple[int, int]]:
        found = CVFL(**settings, **more).fit(X, y).traffic_.by_tag()
        assert found.pop("rows") == (2 * 8 * passive, 2 * passive)
        return found

    def total(bytes_of_batch: Any) -> tuple[int, int]:
        return sum(map(bytes_of_batch, batches)) * exchanges * passive, len(batches) * exchanges * passive

    three_bits = total(lambda n: -(-n * 10 * 3 // 8) + 8)
    assert traffic(bits=3) == {"embedding": three_bits, "gradient": three_bits}
    quarter = traffic(compressor="topk", keep=0.3)
    assert quarter == {"embedding": total(lambda n: n * 3 * (1 + 4)), "gradient": total(lambda n: n * 3 * 4)}
    shared = traffic(bits=8, labels="shared", fusion=(7,))
    weights = [(30 * 7), 7, (7 * 10), 10]
    context = total(lambda n: sum(size + 8 for size in weights) + 2 * (10 * n + 8))
    labels = (passive * (2 * 8 + 200), passive)
    assert shared == {"labels": labels, "embedding": total(lambda n: 10 * n + 8), "context": context}


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"local_steps": 1}, 0.251),
        ({"compressor": "topk", "local_steps": 1}, 0.282),
        ({}, 0.126),
    ],
    ids=["8 bits", "top quarter", "8 bits, 2 steps"],
)
def test_a_fourfold_compression_keeps_the_accuracy(
    digits: tuple[Parts, NDArray], uncompressed: SplitNN, settings: dict[str, Any], most: float
) -> None:
    X, y = digits
    fitted = CVFL(n_epochs=16, **settings).fit([part[:1400] for part in X], y[:1400])
    held_out = [part[1400:] for part in X]
    assert fitted.traffic_.bytes <= most * uncompressed.traffic_.bytes
    assert fitted.score(held_out, y[1400:]) > uncompressed.score(held_out, y[1400:]) - 0.03


def test_one_bit_loses_what_eight_keep(digits: tuple[Parts, NDArray], uncompressed: SplitNN) -> None:
    X, y = digits
    fitted = CVFL(n_epochs=16, bits=1, local_steps=1).fit([part[:1400] for part in X], y[:1400])
    held_out = [part[1400:] for part in X]
    assert fitted.traffic_.bytes < 0.033 * uncompressed.traffic_.bytes
    assert fitted.score(held_out, y[1400:]) < uncompressed.score(held_out, y[1400:]) - 0.03


@pytest.mark.parametrize("labels", ["private", "shared"])
def test_regression_and_two_classes(labels: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = CVFL(n_epochs=16, labels=labels).fit([X[:330, :5], X[:330, 5:]], y[:330])
    assert model.score([X[330:, :5], X[330:, 5:]], y[330:]) > 0.35
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    X, y = X[rows], np.array(["benign", "malign"])[y[rows]]
    binary = CVFL(n_epochs=16, labels=labels).fit([X[:400, :15], X[:400, 15:]], y[:400])
    assert binary.score([X[400:, :15], X[400:, 15:]], y[400:]) > 0.92


def test_epochs_are_counted_in_local_steps(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = CVFL(**SMALL, n_epochs=7, local_steps=3).fit(X, y)
    assert len(fitted.history_) == fitted.n_steps == 3
    rates = [CVFL(local_steps=5, learning_rate=1.0)._rate(k) for k in (0, 1, 2, 3, 4)]
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_labels_leave_their_holder_only_when_shared(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    private = CVFL(**SMALL, n_epochs=2).fit(X, y)
    assert set(private.traffic_.by_tag()) == {"rows", "embedding", "gradient"}
    shared = CVFL(**SMALL, n_epochs=2, labels="shared").fit(X, y)
    assert set(shared.traffic_.by_tag()) == {"rows", "labels", "embedding", "context"}


@pytest.mark.parametrize("settings", [{"bits": 3}, {"labels": "shared"}, {"compressor": "topk"}], ids=str)
def test_training_goes_on_from_a_checkpoint_bit_for_bit(
    parts: tuple[Parts, NDArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    X, y = parts
    model = CVFL(**SMALL, n_epochs=12, local_steps=2, defence="noise:0.05", **settings)
    whole = clone(model).fit(X, y)
    original = FeatureParty.step

    def dies(self: FeatureParty, channel: Channel, step: int) -> None:
        if step == 4 and channel.rank == 2:
            raise RuntimeError("the power failed")
        original(self, channel, step)

    monkeypatch.setattr(FeatureParty, "step", dies)
    with pytest.raises(RuntimeError, match="the power failed"):
        clone(model).fit(X, y, checkpoint=tmp_path)
    monkeypatch.setattr(FeatureParty, "step", original)
    resumed = clone(model).fit(X, y, checkpoint=tmp_path)
    assert resumed.history_ == whole.history_
    assert np.array_equal(resumed.scores(X), whole.scores(X))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compressor": "zip"}, "compressor must be 'quantize', 'topk' or 'none', got 'zip'"),
        ({"bits": 0}, "bits must be a whole number from 1 to 16"),
        ({"compressor": "topk", "keep": 0.0}, "keep must be a share"),
        ({"local_steps": 0}, "local_steps must be a whole number of at least 1"),
        ({"labels": "public"}, "labels must be 'private' or 'shared'"),
        ({"labels": "shared", "gradient_defence": "noise:1"}, "no gradient is sent"),
        ({"cut": 0}, "cut must be"),
    ],
)
def test_settings_out_of_range(parts: tuple[Parts, NDArray], settings: dict[str, Any], message: str) -> None:
    X, y = parts
    with pytest.raises(ValueError, match=message):
        CVFL(**settings).fit(X, y)


def test_settings_are_cloned() -> None:
    model = CVFL(bits=3, keep=0.1, local_steps=7, labels="shared", cut=9, defence="clip:1.0")
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["local_steps"] == 7
