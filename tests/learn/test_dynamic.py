"""Learned asking: what the networks see, losses against their definition, gates, priors, mixed tables, bad input."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.nn.functional import cross_entropy

from covey.learn.dynamic import (
    Asking,
    CMIEstimator,
    DynamicFeatureSelector,
    episode_loss,
    masked_cross_entropy,
    rolled_out,
)
from covey.select.dynamic import TabularCMI

SMALL = {"hidden": (32,), "dropout": 0.0, "pretrain_iter": 5, "max_iter": 15, "learning_rate": 0.01, "batch_size": 64}


@parametrize_with_checks(
    [DynamicFeatureSelector(hidden=(16,), pretrain_iter=3, max_iter=8, batch_size=32, learning_rate=0.03)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def small_model(seed=0, dropout=0.0):
    """Three columns, the last a category of two labels; two groups; three classes; and rows with gaps."""
    generator = torch.Generator().manual_seed(seed)
    model = CMIEstimator([1, 1, 2], 2, 3, generator, (8,), dropout)
    values = torch.randn(40, 4, generator=generator)
    available = torch.rand(40, 3, generator=generator) > 0.2
    labels = torch.randint(3, (40,), generator=generator)
    member = torch.tensor([[True, False], [False, True], [True, False]])
    asking = Asking(member, torch.tensor([1.0, 2.0]), torch.zeros(3, dtype=torch.bool), 2)
    return model, (values, available, labels), asking, generator


def test_what_is_not_known_does_not_reach_the_networks():
    model, (values, available, _), _, _ = small_model()
    hidden = values + 100.0 * ~available[:, model.owner]
    for before, after in zip(model(values, available), model(hidden, available)):
        assert torch.equal(before, after)
    told, logits = model(values, available)
    shares = logits.softmax(dim=1)
    entropy = -(shares * shares.log()).sum(dim=1)
    assert (told >= 0).all()
    assert (told.max(dim=1).values <= entropy).all()


def test_the_estimate_sends_no_gradient_into_the_class_network():
    model, (values, available, _), _, _ = small_model()
    model(values, available)[0].sum().backward()
    assert all(p.grad is None for p in model.predictor.parameters())
    assert all(p.grad is not None for p in model.value.parameters())


def test_an_episode_asks_what_promises_most_per_cost_and_only_what_is_there():
    model, rows, asking, generator = small_model()
    model.eval()
    states, actions, falls = rolled_out(model, rows, asking, 0.0, generator)
    values, available, labels = rows
    known = torch.zeros_like(available)
    for step, action in enumerate(actions):
        assert torch.equal(states[step], known)
        told, logits = (z.detach() for z in model(values, known))
        before = cross_entropy(logits, labels, reduction="none")
        for i in range(len(values)):
            members = [[0, 2], [1]]
            is_open = [any(available[i, j] and not known[i, j] for j in columns) for columns in members]
            rate = [float(told[i, g] / asking.costs[g]) if is_open[g] else -1.0 for g in range(2)]
            expected = int(np.argmax(rate)) if any(is_open) else -1
            assert action[i] == expected
            if expected >= 0:
                for j in members[expected]:
                    known[i, j] |= available[i, j]
        after = cross_entropy(model(values, known)[1], labels, reduction="none")
        assert torch.allclose(falls[step], (before - after).detach())
    assert torch.equal(states[-1], known)


def test_the_loss_of_an_episode_is_that_of_its_steps():
    model, rows, asking, generator = small_model()
    values, _, labels = rows
    state = generator.get_state()
    states, actions, falls = rolled_out(model, rows, asking, 0.5, generator)
    expected = 0.0
    for step, known in enumerate(states):
        told, logits = model(values, known)
        expected += cross_entropy(logits, labels) / len(states)
        if step < len(actions):
            chosen = told.gather(1, actions[step].clamp(min=0)[:, None])[:, 0]
            expected += ((actions[step] >= 0) * (chosen - falls[step]) ** 2).mean() / len(states)
    generator.set_state(state)
    assert episode_loss(model, rows, asking, 0.5, generator).item() == pytest.approx(expected.item(), rel=1e-5)


def test_exploring_chooses_any_open_group():
    model, (values, _, labels), asking, generator = small_model()
    there = torch.ones(40, 3, dtype=torch.bool)
    wide = [values.repeat(50, 1), there.repeat(50, 1), labels.repeat(50)]
    _, actions, _ = rolled_out(model, tuple(wide), asking, 1.0, generator)
    assert actions[0].float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(actions[1], 1 - actions[0])


def test_random_sets_are_of_every_size_and_keep_the_start():
    model, (values, _, labels), asking, generator = small_model()
    seen = []
    model.predictor.forward = lambda inputs: seen.append(inputs[:, 4:]) or torch.zeros(len(inputs), 3)
    there = torch.ones(40, 3, dtype=torch.bool)
    rows = (values.repeat(50, 1), there.repeat(50, 1), labels.repeat(50))
    masked_cross_entropy(model, rows, asking, generator)
    shown = seen[0]
    assert torch.equal(shown[:, 0], shown[:, 2])  # one group
    sizes = shown[:, :2].sum(dim=1)
    assert [(sizes == k).float().mean().item() for k in range(3)] == pytest.approx([1 / 3] * 3, abs=0.05)
    with_start = Asking(asking.member, asking.costs, torch.tensor([False, True, False]), 0)
    masked_cross_entropy(model, rows, with_start, generator)
    assert seen[1].mean(dim=0).tolist() == [0.0, 1.0, 0.0]


def gated(n=1500, seed=0):
    """A season says which of two columns holds the class; gaps, numbers and noise beside them."""
    rng = np.random.default_rng(seed)
    season = rng.choice(["dry", "wet"], n)
    a, b = rng.integers(2, size=(2, n))
    y = np.where(season == "wet", 2 + a, b)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "season": season,
            "a": np.where(a == 1, "yes", "no"),
            "b": np.where(rng.random(n) < 0.1, np.nan, b),
            "fixed": 1.0,
        }
    )
    return frame, y


def test_the_policy_is_learned_on_mixed_tables_with_gaps():
    frame, y = gated()
    model = DynamicFeatureSelector(budget=2, random_state=0, **SMALL).fit(frame[:1000], y[:1000])
    exact = TabularCMI(budget=2).fit(frame[:1000], y[:1000])
    test = frame[1000:]
    found, reference = model.acquire(test), exact.acquire(test)
    there = test["b"].notna() | (test["season"] == "wet")
    assert found.order[there].tolist() == reference.order[there].tolist()
    assert model.score(test[there], y[1000:][there]) > 0.98
    nothing = np.full((1, 5), np.nan)
    first = [m.estimate(nothing, ~np.isnan(nothing))[0][0] for m in (model, exact)]
    assert first[0][:4] == pytest.approx(first[1][:4], abs=0.1)
    assert np.isnan(first[0][4])
    row = {"season": "wet", "a": "yes", "b": None, "noise": 0.2}
    asked = model.acquire(query=lambda i, j: row[frame.columns[j]])
    assert asked.order[0, :2].tolist() == [1, 2]
    assert model.classes_[asked.proba[0].argmax()] == 3


def test_prior_features_are_known_from_the_start():
    frame, y = gated()
    model = DynamicFeatureSelector(budget=1, prior_features=["season"], random_state=0, **SMALL).fit(frame, y)
    found = model.acquire(frame[:50])
    assert found.mask[:, 1].all()
    assert (found.cost == 1.0).all()
    wet = (frame["season"] == "wet").to_numpy()[:50]
    assert (found.order[wet, 0] == 2).all()
    there = frame["b"].notna().to_numpy()[:50]
    assert (found.order[~wet & there, 0] == 3).all()


def test_prior_features_are_queried_first_and_never_paid_for():
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(300, 4)).astype(float)
    model = DynamicFeatureSelector(prior_features=[1], random_state=0, **SMALL | {"pretrain_iter": 0, "max_iter": 2})
    model.fit(x, x[:, 1] + x[:, 2])
    asked = []

    def query(i, j):
        asked.append(j)
        return [np.nan, x[0, j]][j != 1 or is_there]

    for is_there in (True, False):
        asked.clear()
        found = model.acquire(query=query)
        assert asked[0] == 1
        assert sorted(asked[1:]) == sorted(found.order[0].tolist()) == [0, 2, 3]
        assert found.cost.tolist() == [3.0]
        assert found.mask[0].tolist() == [True, is_there, True, True]
    asked.clear()
    model.acquire(np.where(np.arange(4) == 1, x[:1], np.nan), query=query, budget=0)
    assert asked == []
    assert 1 not in model.acquire(x[:5], known=np.zeros((5, 4))).order


def test_groups_that_tell_only_together():
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(1500, 4))
    y = x[:, 0] ^ x[:, 2]
    model = DynamicFeatureSelector(groups=[0, 1, 0, 2], budget=1, random_state=0, **SMALL | {"max_iter": 30})
    model.fit(x[:1200], y[:1200])
    assert (model.acquire(x[1200:]).order == 0).all()
    assert model.score(x[1200:], y[1200:]) > 0.98


def test_the_same_seed_gives_the_same_answers_and_global_state_stays():
    frame, y = gated(300)
    state = torch.get_rng_state()
    first, second = (
        DynamicFeatureSelector(budget=2, random_state=3, **SMALL | {"dropout": 0.2}).fit(frame, y).predict_proba(frame)
        for _ in range(2)
    )
    assert (first == second).all()
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"pretrain_iter": -1}, "pretrain_iter must be at least 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"max_features": 0}, "max_features must be at least 1"),
        ({"dropout": 1.0}, "dropout must lie"),
        ({"exploration": 1.1}, "exploration must lie"),
        ({"learning_rate": -1.0}, "learning_rate must not be negative"),
        ({"prior_features": ["z"]}, "'z', which is not a column"),
        ({"prior_features": [7]}, "has 7, but X has 2 columns"),
        ({"prior_features": [True, False]}, "names or places of columns, got True"),
        ({"prior_features": [0.5]}, "names or places of columns, got 0.5"),
        ({"prior_features": [0, 1]}, "names all columns"),
        ({"feature_costs": [1.0]}, "one cost for each of 2"),
        ({"budget": -1}, "budget must not be negative"),
    ],
)
def test_wrong_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        DynamicFeatureSelector(**change).fit([[0, 1], [1, 0], [0, 0]], [0, 1, 0])
