"""Sequential attention: the mask by its definition, what the network finds and a filter does not, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.learn import SequentialAttentionMask, SequentialAttentionSelector
from covey.select import AssociationRanker, OMPSelector


@parametrize_with_checks(
    [
        SequentialAttentionSelector(k=1, n_steps=5, hidden=(4,), random_state=0),
        SequentialAttentionSelector(k=1, estimator="linear"),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def products(n=2000, d=12, seed=0):
    """The target is a product of two columns plus a product of two others."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x, x[:, 1] * x[:, 4] + x[:, 7] * x[:, 10]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 12).flatmap(lambda d: st.tuples(st.just(d), st.integers(1, d))),
    st.integers(1, 4),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12).map(sorted),
)
def test_chosen_weigh_one_and_candidates_share_one(sizes, k_step, moments):
    d, k = sizes
    mask = SequentialAttentionMask(d, k, k_step, start=0.2)
    generator = torch.Generator().manual_seed(0)
    for progress in moments:
        with torch.no_grad():
            mask.logits.copy_(torch.randn(d, generator=generator))
            weights = mask(progress)
        if progress < 0.2:
            assert weights.tolist() == [1.0] * d and not mask.order
            continue
        phases_done = int((progress - 0.2) / 0.8 * mask.n_phases + 1e-9)
        assert len(mask.order) == min(k, phases_done * k_step) == int(mask.selected.sum())
        assert (weights[mask.selected] == 1.0).all()
        left = 0.0 if len(mask.order) == k else 1.0
        assert weights[~mask.selected].sum().item() == pytest.approx(left, abs=1e-5)
    mask(1.0)
    assert len(mask.order) == len(set(mask.order)) == k


def test_the_largest_logits_are_chosen_and_the_others_start_afresh():
    mask = SequentialAttentionMask(5, k=4, k_step=2, start=0.0)
    logits = torch.tensor([0.3, 2.0, -1.0, 0.9, 1.5])
    with torch.no_grad():
        mask.logits.copy_(logits)
    mask(0.49)
    assert mask.order == []
    mask(0.5)
    assert mask.order == [1, 4] and mask.history[0].tolist() == logits.tolist()
    assert mask.logits.abs().max() < 1e-3
    with torch.no_grad():
        mask.logits[:] = torch.tensor([0.1, 9.0, 0.2, 0.0, 9.0])  # of chosen ones: of no effect
    assert mask(1.0).tolist() == [1.0, 1.0, 1.0, 0.0, 1.0]
    assert mask.order == [1, 4, 2, 0]


def test_only_candidates_have_a_gradient():
    mask = SequentialAttentionMask(4, k=2, start=0.0)
    (mask(0.5) * torch.arange(4.0)).sum().backward()
    assert mask.logits.grad[mask.order].abs().sum() == 0
    assert (mask.logits.grad != 0).sum() == 3


def test_products_are_found_where_single_columns_say_nothing():
    x, y = products()
    selector = SequentialAttentionSelector(k=4, n_steps=1000, learning_rate=0.01, random_state=0).fit(x, y)
    assert sorted(selector.selection_order_) == [1, 4, 7, 10]
    assert set(AssociationRanker("pearson", k=4).fit(x, y).get_support(indices=True)) != {1, 4, 7, 10}
    assert selector.ranking_[selector.selection_order_].tolist() == [1, 2, 3, 4]
    assert selector.scores_[selector.selection_order_].tolist() == [1.0, 0.75, 0.5, 0.25]


def test_of_two_copies_one_is_enough():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 800))
    x = np.column_stack([a, a + 0.02 * rng.normal(size=800), b, rng.normal(size=(800, 3))])
    labels = np.where(a + 0.7 * b > 0, "yes", "no")
    selector = SequentialAttentionSelector(k=2, n_steps=600, learning_rate=0.01, random_state=0).fit(x, labels)
    assert sorted(selector.selection_order_) in ([0, 2], [1, 2])


def test_the_history_names_the_choices():
    x, y = products(d=11)
    x = np.column_stack([np.ones(len(x)), x])
    selector = SequentialAttentionSelector(k=3, k_step=2, n_steps=60, random_state=0).fit(x, y)
    history = selector.logits_history_
    assert history.shape == (2, 12) and np.isnan(history[:, 0]).all()
    assert set(np.argsort(-history[0, 1:])[:2] + 1) == set(selector.selection_order_[:2])
    assert np.isnan(history[1]).sum() == 3 and np.nanargmax(history[1]) == selector.selection_order_[2]


def test_the_same_seed_gives_the_same_bits():
    x, y = products(n=200)
    runs = [SequentialAttentionSelector(k=3, n_steps=40, random_state=seed).fit(x, y) for seed in (4, 4, 5)]
    assert np.array_equal(runs[0].logits_history_, runs[1].logits_history_, equal_nan=True)
    assert not np.array_equal(runs[0].logits_history_, runs[2].logits_history_, equal_nan=True)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    SequentialAttentionSelector(k=1, n_steps=5).fit(*products(n=50))
    assert torch.equal(before, torch.get_rng_state())


def test_the_linear_model_is_matching_pursuit():
    x, y = products()
    linear = SequentialAttentionSelector(k=5, estimator="linear").fit(x, y)
    assert np.array_equal(linear.ranking_, OMPSelector(k=5).fit(x, y).ranking_)
    assert np.array_equal(linear.selection_order_, np.argsort(linear.ranking_)[:5])
    assert not hasattr(linear, "logits_history_")
    network = SequentialAttentionSelector(k=5, n_steps=10).fit(x, y)
    assert not hasattr(network.set_params(estimator="linear").fit(x, y), "logits_history_")


def test_a_share_of_the_columns():
    x, y = products(n=100)
    assert len(SequentialAttentionSelector(k=0.5, n_steps=20).fit(x, y).selection_order_) == 6
    x = np.random.default_rng(0).normal(size=(100, 100))
    assert len(SequentialAttentionSelector(k=0.29, n_steps=40).fit(x, y).selection_order_) == 29  # 0.29 * 100 < 29


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": "tree"}, "estimator must be 'mlp' or 'linear'"),
        ({"k": "elbow"}, "needs estimator='linear'"),
        ({"k": 13}, "k=13 is larger"),
        ({"k_step": 0}, "k_step must be at least 1"),
        ({"start": 1.0}, "start must lie in 0..1"),
        ({"n_steps": 5}, "n_steps=5 leaves a phase without a step; raise it to 12"),
        ({"learning_rate": 1e30, "n_steps": 200}, "diverged; lower learning_rate"),
    ],
)
def test_bad_parameters(parameters, message):
    x, y = products(n=60)
    with pytest.raises(ValueError, match=message):
        SequentialAttentionSelector(**{"n_steps": 30} | parameters).fit(x, y)


def test_missing_values_and_the_range_of_the_mask():
    x, y = products(n=30)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SequentialAttentionSelector(k=2).fit(x, y)
    for arguments, message in (((4, 5), "k must lie in 1..n_features = 4"), ((4, 0), "k must lie")):
        with pytest.raises(ValueError, match=message):
            SequentialAttentionMask(*arguments)
    with pytest.raises(ValueError, match=r"progress must lie in 0\.\.1"):
        SequentialAttentionMask(4, 2)(1.5)
