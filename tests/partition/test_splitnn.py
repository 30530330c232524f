"""SplitNN against the joint network, its bytes, its repeatability, and what it refuses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import nn

from covey.partition import splitnn
from covey.partition._channel import Channel, ChannelError, LocalNetwork
from covey.partition._objective import Objective
from covey.partition._vertical import load_party, save_party
from covey.partition.splitnn import FeatureParty, LabelParty, SplitNN, SplitParty
from covey.table import read

Parts = list[NDArray[np.float64]]
SMALL: dict[str, Any] = {"hidden": (16,), "cut": 8, "fusion": (12,), "batch_size": 32}


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray, NDArray]:
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    return X[rows], y[rows]


@pytest.fixture(scope="module")
def parts(digits: tuple[NDArray, NDArray]) -> tuple[Parts, NDArray]:
    """Two hundred digits, three parties."""
    X, y = digits
    return [X[:200, k::3] for k in range(3)], y[:200]


def started(
    model: SplitNN, parts: Sequence[Any], y: NDArray, active: int = 0, record: Sequence[str] = ("*",)
) -> tuple[LocalNetwork, list[SplitParty]]:
    """Parties that are ready for their first step."""
    network = LocalNetwork(len(parts), active, record=record)

    def start(channel: Channel) -> SplitParty:
        party = model._party(channel.is_active)
        target = None
        if channel.is_active:
            party.objective = Objective.of(y, model.task)
            target = party.objective.encode(y)
        party.start(channel, parts[channel.rank], target)
        return party

    return network, network.run([start] * len(parts))


def step(network: LocalNetwork, parties: Sequence[SplitParty], number: int) -> None:
    def work(channel: Channel) -> float | None:
        return parties[channel.rank].step(channel, number)

    network.run([work] * len(parties))


class Joint(nn.Module):
    """The same networks as one, in one place."""

    def __init__(self, parties: Sequence[SplitParty], active: int) -> None:
        super().__init__()
        order = [active, *(k for k in range(len(parties)) if k != active)]
        self.order = [k for k in order if parties[k].bottom is not None]
        self.bottoms = nn.ModuleList(copy.deepcopy(parties[k].bottom) for k in self.order)
        self.top = copy.deepcopy(parties[active].top)

    def embeddings(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [bottom(inputs[k]) for k, bottom in zip(self.order, self.bottoms)]

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.top(torch.cat(self.embeddings(inputs), dim=1))


def encoded(parties: Sequence[SplitParty], parts: Sequence[Any]) -> list[torch.Tensor]:
    return [torch.tensor(p.encoder.transform(X), dtype=torch.float32) for p, X in zip(parties, parts)]


@pytest.mark.parametrize("active", [0, 1])
def test_gradients_on_the_channel_are_those_of_the_joint_network(parts: tuple[Parts, NDArray], active: int) -> None:
    X, y = parts
    network, parties = started(SplitNN(**SMALL | {"batch_size": 200}), X, y, active)
    joint = Joint(parties, active)
    embeddings = joint.embeddings(encoded(parties, X))
    loss = nn.functional.cross_entropy(joint.top(torch.cat(embeddings, dim=1)), torch.tensor(y))
    wanted = torch.autograd.grad(loss, embeddings)
    step(network, parties, 0)
    order = np.random.default_rng([0, 0, 0]).permutation(200)
    for place, rank in enumerate(joint.order[1:], start=1):
        sent = {m.tag: m.arrays[0] for m in network.channels[rank].transcript}
        np.testing.assert_allclose(sent["embedding"], embeddings[place].detach().numpy()[order], atol=1e-6)
        np.testing.assert_allclose(sent["gradient"], wanted[place].numpy()[order], atol=1e-6)
        assert sent["embedding"].dtype == sent["gradient"].dtype == np.float32


def test_training_is_that_of_the_joint_network_with_adam_and_steps_of_its_rate(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    model = SplitNN(**SMALL, n_epochs=4, decay_every=2, decay=0.1, weight_decay=0.01, learning_rate=0.01)
    _, parties = started(model, X, y)
    joint, inputs, target = Joint(parties, 0), encoded(parties, X), torch.tensor(y)
    optimizer = torch.optim.Adam(joint.parameters(), lr=0.01, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    losses = []
    for epoch in range(4):
        total = 0.0
        for rows in torch.tensor(np.random.default_rng([0, 0, epoch]).permutation(200)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(joint([x[rows] for x in inputs]), target[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        scheduler.step()
        losses.append(total / 200)
    fitted = model.fit(X, y)
    np.testing.assert_allclose(fitted.history_, losses, rtol=1e-3)
    np.testing.assert_allclose(fitted.scores(X), joint(inputs).detach().numpy(), atol=2e-3)


def test_bytes_and_messages_are_exact(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = SplitNN(hidden=(5,), n_epochs=2, batch_size=64).fit(X, y)
    n, passive, epochs, batches = 200, 2, 2, 4
    one_way = 4 * n * 100 * epochs * passive, batches * epochs * passive
    assert fitted.traffic_.by_tag() == {
        "rows": (2 * 8 * passive, 2 * passive),
        "embedding": one_way,
        "gradient": one_way,
    }
    network = LocalNetwork(3)
    fitted.scores([part[:50] for part in X], network=network)
    assert network.traffic.by_tag()["embedding"] == (4 * 50 * 100 * passive, passive)


def test_one_party_learns_digits_without_a_message(digits: tuple[NDArray, NDArray]) -> None:
    X, y = digits
    fitted = SplitNN(n_epochs=8).fit([X[:1200]], y[:1200])
    assert fitted.score([X[1200:]], y[1200:]) > 0.95
    assert fitted.traffic_.messages == 0


def test_parties_learn_what_none_of_them_knows_alone() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    both = SplitNN(n_epochs=20).fit([X[:600, :1], X[:600, 1:]], y[:600])
    alone = SplitNN(n_epochs=20).fit([X[:600, :1]], y[:600])
    assert both.score([X[600:, :1], X[600:, 1:]], y[600:]) > 0.9
    assert alone.score([X[600:, :1]], y[600:]) < 0.65


@pytest.mark.parametrize("label_party", [0, 1])
def test_the_label_holder_may_have_no_feature(digits: tuple[NDArray, NDArray], label_party: int) -> None:
    X, y = digits[0][:600], digits[1][:600]
    parties = [X[:, ::2], X[:, 1::2]]
    parties.insert(label_party, np.empty((600, 0)))
    fitted = SplitNN(n_epochs=8).fit(parties, y, label_party=label_party)
    assert fitted.parties_[label_party].bottom is None
    assert fitted.score(parties, y) > 0.9


def test_another_party_may_have_no_feature(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=3).fit([X[0], np.empty((200, 0))], y)
    assert fitted.scores([X[0], np.empty((200, 0))]).shape == (200, 10)
    with pytest.raises(ValueError, match="nothing to learn from"):
        SplitNN(**SMALL).fit([np.empty((200, 0))], y)


def test_regression_and_two_classes() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = SplitNN(n_epochs=15).fit([X[:330, :5], X[:330, 5:]], y[:330])
    assert model.score([X[330:, :5], X[330:, 5:]], y[330:]) > 0.35
    assert abs(model.predict([X[330:, :5], X[330:, 5:]]).mean() - y[330:].mean()) < 15
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    X, y = X[rows], y[rows]
    binary = SplitNN(n_epochs=10).fit([X[:400, :15], X[:400, 15:]], y[:400])
    held_out = [X[400:, :15], X[400:, 15:]]
    assert binary.score(held_out, y[400:]) > 0.92
    assert binary.scores(held_out).shape == (169, 1)
    np.testing.assert_allclose(binary.predict_proba(held_out).sum(axis=1), 1.0)


def test_the_seed_decides_alone(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    before = torch.random.get_rng_state()
    first = SplitNN(**SMALL, n_epochs=2).fit(X, y)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(7)
    again = clone(first).fit(X, y)
    other = SplitNN(**SMALL, n_epochs=2, random_state=1).fit(X, y)
    assert np.array_equal(first.scores(X), again.scores(X))
    assert first.history_ == again.history_
    assert not np.allclose(first.scores(X), other.scores(X))


def test_parties_start_from_different_weights(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    _, parties = started(SplitNN(**SMALL), [X[0], X[0], X[0]], y)
    first, second, third = (party.state()["bottom/0.weight"] for party in parties)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)


@pytest.mark.parametrize("failing", [FeatureParty, LabelParty])
def test_training_goes_on_from_a_checkpoint_bit_for_bit(
    parts: tuple[Parts, NDArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: type[SplitParty]
) -> None:
    X, y = parts
    model = SplitNN(**SMALL, n_epochs=6, decay_every=2, defence="clip:2+noise:0.1")
    whole = clone(model).fit(X, y)
    original, last = failing.step, 3
    taken = []

    def dies(self: SplitParty, channel: Channel, step: int) -> float | None:
        if step == last:
            raise RuntimeError("the power failed")
        taken.append(step)
        return original(self, channel, step)

    monkeypatch.setattr(failing, "step", dies)
    with pytest.raises(RuntimeError, match="the power failed"):
        clone(model).fit(X, y, checkpoint=tmp_path)
    assert sorted(set(taken)) == [0, 1, 2]
    taken.clear()
    last = 99
    resumed = clone(model).fit(X, y, checkpoint=tmp_path)
    assert sorted(set(taken)) == [3, 4, 5]
    assert resumed.history_ == whole.history_
    assert np.array_equal(resumed.scores(X), whole.scores(X))
    assert resumed.traffic_.by_tag()["embedding"] == whole.traffic_.by_tag()["embedding"]
    with pytest.raises(ValueError, match="other data"):
        clone(model).fit([part[:, :9] for part in X], y, checkpoint=tmp_path)


def test_a_party_is_saved_alone_and_predicts_as_before(parts: tuple[Parts, NDArray], tmp_path: Path) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=2).fit(X, y, label_party=1)
    network = LocalNetwork(3, 1)
    for party, channel in zip(fitted.parties_, network.channels):
        save_party(party, channel, tmp_path / f"{channel.rank}.npz")
    loaded = [load_party(tmp_path / f"{k}.npz")[0] for k in range(3)]
    found = network.run([lambda channel: loaded[channel.rank].scores(channel, X[channel.rank])] * 3)
    assert np.array_equal(found[1], fitted.scores(X))
    assert found[0] is found[2] is None
    assert [key for key in loaded[0].state() if key.startswith("top/")] == []


def test_a_pickled_model_predicts_as_before_and_holds_no_rows(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=2).fit(X, y)
    text = pickle.dumps(fitted)
    assert len(text) < 4 * fitted.parties_[0].encoder.transform(X[0]).size + 40_000
    again = pickle.loads(text)
    assert np.array_equal(again.scores(X), fitted.scores(X))
    assert again.parties_[0]._training is None


def test_prediction_is_by_row_whatever_the_size_of_messages(
    parts: tuple[Parts, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=2).fit(X, y)
    scores = fitted.scores(X)
    back = fitted.scores([part[::-1] for part in X])
    np.testing.assert_allclose(back[::-1], scores, atol=1e-5)
    monkeypatch.setattr(splitnn, "_PREDICTION_ROWS", 64)
    network = LocalNetwork(3, record=("embedding",))
    np.testing.assert_allclose(fitted.scores(X, network=network), scores, atol=1e-5)
    assert [len(m.arrays[0]) for m in network.channels[1].transcript] == [64, 64, 64, 8]


def test_missing_values_and_categories_never_seen() -> None:
    rng = np.random.default_rng(0)
    shop = pd.DataFrame({"town": rng.choice(["ulm", "bonn"], 300), "spent": rng.normal(size=300)})
    bank = rng.normal(size=(300, 2))
    bank[::7, 0] = np.nan
    y = (shop["town"] == "ulm").to_numpy() ^ (bank[:, 1] > 0)
    fitted = SplitNN(n_epochs=15).fit([bank, read(shop)], y)
    assert fitted.score([bank, shop], y) > 0.85
    shop.loc[:9, "town"] = "kiel"
    shop.loc[10:19, "spent"] = np.nan
    assert np.isfinite(fitted.scores([bank, shop])).all()


def test_recorded_embeddings_are_what_the_label_holder_saw(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=1).fit(X, y)
    network = LocalNetwork(3, record=("embedding",))
    fitted.scores(X, network=network)
    seen = {m.sender: m.arrays[0] for m in network.channels[0].transcript}
    assert sorted(seen) == [1, 2]
    for rank, embedding in seen.items():
        party = fitted.parties_[rank]
        assert party.bottom is not None
        inputs = torch.tensor(party.encoder.transform(X[rank]), dtype=torch.float32)
        np.testing.assert_allclose(embedding, party.bottom(inputs).detach().numpy(), atol=1e-5)


def test_defences_act_on_what_is_sent(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts

    def recorded(**settings: str) -> dict[str, list[NDArray]]:
        network = LocalNetwork(3, record=("embedding", "gradient"))
        SplitNN(**SMALL, n_epochs=2, **settings).fit(X, y, network=network)
        transcript = network.channels[0].transcript
        return {tag: [m.arrays[0] for m in transcript if m.tag == tag] for tag in ("embedding", "gradient")}

    plain, clipped = recorded(), recorded(defence="clip:0.5", gradient_defence="clip:0.01")
    lengths = [np.linalg.norm(rows, axis=1).max() for rows in clipped["embedding"]]
    assert max(lengths) <= 0.5 * (1 + 1e-5) < np.linalg.norm(plain["embedding"][0], axis=1).max()
    per_row = [np.linalg.norm(rows * len(rows), axis=1).max() for rows in clipped["gradient"]]
    assert max(per_row) == pytest.approx(0.01, rel=1e-4)
    noisy = recorded(defence="noise:0.1", gradient_defence="noise:0.2")
    first = noisy["embedding"][0] - plain["embedding"][0]
    assert 0.08 < first.std() < 0.12
    assert 0.18 < (noisy["gradient"][0] * 32).std() < 0.3
    noises = [noisy["embedding"][k] - plain["embedding"][k] for k in (0, 1)]
    assert abs(np.corrcoef(noises[0].ravel(), noises[1].ravel())[0, 1]) < 0.2


def test_derivatives_pass_the_clip(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    network, parties = started(SplitNN(**SMALL | {"batch_size": 200}, defence="clip:0.1", weight_decay=0), X[:2], y)
    inputs = encoded(parties, X)[1]
    bottom = copy.deepcopy(parties[1].bottom)
    assert bottom is not None
    step(network, parties, 0)
    gradient = next(m.arrays[0] for m in network.channels[1].transcript if m.tag == "gradient")
    embedding = bottom(inputs[torch.tensor(np.random.default_rng([0, 0, 0]).permutation(200))])
    clipped = embedding * (0.1 / embedding.norm(dim=1, keepdim=True)).clamp(max=1.0)
    wanted = torch.autograd.grad((clipped * torch.tensor(gradient)).sum(), list(bottom.parameters()))
    flat = torch.cat([derivative.ravel() for derivative in wanted]).numpy()
    np.testing.assert_allclose(parties[1].state()["adam/mean"], 0.1 * flat, rtol=1e-3, atol=1e-9)


def test_noise_costs_accuracy_and_a_little_does_not(digits: tuple[NDArray, NDArray]) -> None:
    X, y = digits
    accuracy = {}
    for defence in (None, "noise:0.1", "clip:0.1+noise:2"):
        fitted = SplitNN(n_epochs=6, defence=defence).fit([np.empty((600, 0)), X[:600]], y[:600])
        accuracy[defence] = fitted.score([np.empty((600, 0)), X[600:1200]], y[600:1200])
    assert accuracy[None] - accuracy["noise:0.1"] < 0.05
    assert accuracy[None] - accuracy["clip:0.1+noise:2"] > 0.3


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cut", 0),
        ("hidden", (10, 0)),
        ("fusion", (2.5,)),
        ("n_epochs", 0),
        ("batch_size", -1),
        ("decay_every", True),
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("weight_decay", -1e-3),
        ("decay", 1.5),
        ("random_state", -1),
        ("random_state", None),
        ("defence", "blur:1"),
        ("gradient_defence", "noise"),
        ("task", "ranking"),
    ],
)
def test_settings_out_of_range(parts: tuple[Parts, NDArray], setting: str, value: object) -> None:
    X, y = parts
    name = "no number|no defence" if "defence" in setting else setting
    with pytest.raises(ValueError, match=name):
        SplitNN(**{setting: value}).fit(X, y)


def test_a_training_that_diverges_says_so(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    with pytest.raises(ValueError, match="lower learning_rate"):
        SplitNN(**SMALL, learning_rate=1e30).fit(X[:1], y)


def test_an_embedding_of_another_width_ends_the_run(
    parts: tuple[Parts, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = parts
    monkeypatch.setattr(
        FeatureParty, "_send", lambda self, channel, rows: channel.send(0, "embedding", rows[:, :3].numpy())
    )
    with pytest.raises(ChannelError, match=r"'embedding' of shape \(32, 3\) where \(32, 8\) was due"):
        SplitNN(**SMALL).fit(X, y)


def test_parties_of_other_rows_do_not_predict(parts: tuple[Parts, NDArray]) -> None:
    X, y = parts
    fitted = SplitNN(**SMALL, n_epochs=1).fit(X, y)
    network = LocalNetwork(3)
    short = [X[0], X[1][:50], X[2]]
    with pytest.raises(ValueError, match="50 rows"):
        network.run([lambda channel: fitted.parties_[channel.rank].scores(channel, short[channel.rank])] * 3)
    with pytest.raises(ValueError, match="9 numeric columns"):
        fitted.scores([part[:, :9] for part in X])
