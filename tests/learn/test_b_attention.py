"""B-attention: against its definition, symmetries of sets, padding, and what it learns."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from covey.learn import BAttention


def sets(n_sets=3, n_members=5, dim=4, seed=0):
    return torch.randn(n_sets, n_members, dim, generator=torch.Generator().manual_seed(seed))


def by_definition(model: BAttention, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One set (n_members, dim), one head, full context length."""
    q, k, v = model.projection(x).chunk(3, dim=-1)
    q_context, k_context = model.profiles(x @ x.T).chunk(2, dim=-1)
    scores = torch.empty(len(x), len(x))
    for i in range(len(x)):
        for j in range(len(x)):
            pair = torch.stack(
                [q[i] @ k[j] / x.shape[1] ** 0.5, functional.cosine_similarity(q_context[i], k_context[j], 0)]
            )
            scores[i, j] = model.fusion(pair)
    weights = torch.softmax(scores / model.temperature, dim=1)
    return model.output(torch.cat([x, weights @ v], dim=1)), weights


def test_agrees_with_its_definition():
    model = BAttention(4, max_ctx_k=5, temperature=0.7, generator=torch.Generator().manual_seed(1))
    x = sets()
    out, weights = model(x)
    for k in range(len(x)):
        expected_out, expected_weights = by_definition(model, x[k])
        assert torch.allclose(out[k], expected_out, atol=1e-5)
        assert torch.allclose(weights[k, 0], expected_weights, atol=1e-6)


def test_plain_attention_treats_members_alike_and_context_knows_their_order():
    x, shuffle = sets(), torch.tensor([3, 0, 4, 1, 2])
    for context in (False, True):
        model = BAttention(4, n_heads=2, max_ctx_k=5, context=context)
        same = torch.allclose(model(x[:, shuffle])[0], model(x)[0][:, shuffle], atol=1e-5)
        assert same != context


def test_sets_do_not_hear_of_one_another_and_small_sets_are_padded():
    model = BAttention(4, n_heads=2, max_ctx_k=9)
    x = sets()
    assert torch.allclose(model(x)[0][1:], model(x[1:])[0], atol=1e-6)
    assert model(x)[1].shape == (3, 2, 5, 5)


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(0)
    first = BAttention(4, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(1)
    second = BAttention(4, generator=torch.Generator().manual_seed(5))
    other = BAttention(4, generator=torch.Generator().manual_seed(6))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))
    assert not torch.equal(first.projection[0].weight, other.projection[0].weight)


def test_every_parameter_has_a_gradient():
    model = BAttention(4, n_heads=2, max_ctx_k=6)
    out, _ = model(sets())
    out.square().sum().backward()
    slopes = {name: float(p.grad.abs().max()) for name, p in model.named_parameters()}
    constant = slopes.pop("fusion.bias")  # added to all scores of a softmax it changes nothing
    assert constant < 1e-5 < min(slopes.values())


def test_context_learns_to_find_the_odd_members():
    """Members of the centre's group are alike to one another; the others are alike to nobody."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(64, 1, 16))
    odd = np.arange(10) >= 5
    x = torch.tensor(np.where(odd[:, None], 0.0, centres) + rng.normal(size=(64, 10, 16)), dtype=torch.float32)
    model = BAttention(16, max_ctx_k=10, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        loss = -model(x[:48])[1][:, 0, 0, :5].sum(dim=1).log().mean()
        loss.backward()
        optimiser.step()
    assert model(x[48:])[1][:, 0, 0, :5].sum(dim=1).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "words"),
    [({"n_heads": 3}, "n_heads"), ({"max_ctx_k": 0}, "max_ctx_k"), ({"temperature": 0.0}, "temperature")],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        BAttention(4, **options)


def test_sets_larger_than_the_context():
    with pytest.raises(ValueError, match="max_ctx_k"):
        BAttention(4, max_ctx_k=4)(sets())
