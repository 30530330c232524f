"""Correlation modes: against regression by definition, planted modes, and the online and embedded forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.compare import CorrelationModeDecomposition, EmbeddedCMD, OnlineCMD, WeightRecorder, mode_references


@parametrize_with_checks([CorrelationModeDecomposition(), OnlineCMD(), OnlineCMD(references=[0], n_modes=2)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def walks(n_steps=60, n_modes=4, n_features=80, noise=0.05, seed=0):
    """Independent random walks, copied with random slopes and intercepts; and the mode of each column."""
    rng = np.random.default_rng(seed)
    modes = rng.normal(size=(n_steps, n_modes)).cumsum(axis=0)
    modes = (modes - modes.mean(axis=0)) / modes.std(axis=0)
    labels = rng.integers(n_modes, size=n_features)
    slope = rng.choice([-1, 1], n_features) * rng.uniform(0.5, 2, n_features)
    x = modes[:, labels] * slope + rng.normal(size=n_features) + noise * rng.normal(size=(n_steps, n_features))
    return x, labels


def test_model_is_the_best_reference_and_its_regression():
    x, _ = walks(noise=1.0)
    modes = CorrelationModeDecomposition(n_modes=4).fit(x)
    correlation = np.corrcoef(x.T)[:, modes.references_]
    best = np.abs(correlation).argmax(axis=1)
    np.testing.assert_array_equal(modes.labels_, best)
    np.testing.assert_allclose(modes.correlation_, correlation[np.arange(80), best], atol=1e-12)
    lines = [np.polyfit(x[:, modes.references_[best[i]]], x[:, i], 1) for i in range(80)]
    np.testing.assert_allclose(np.column_stack([modes.slope_, modes.intercept_]), lines, atol=1e-10)
    residual = ((x - modes.project(x)) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
    assert modes.explained_variance_ratio_ == pytest.approx(1 - residual)


def test_planted_modes_are_found_by_number_and_by_threshold():
    x, labels = walks()
    for parameters in ({"n_modes": 4}, {"threshold": 0.9}, {"n_modes": 4, "n_sampled": 40, "random_state": 0}):
        modes = CorrelationModeDecomposition(**parameters).fit(x)
        assert adjusted_rand_score(labels, modes.labels_) == 1
        assert modes.explained_variance_ratio_ > 0.99


def test_reference_is_the_member_of_highest_mean_correlation():
    x, _ = walks(n_modes=1, n_features=20, noise=1.0)
    strength = np.abs(np.corrcoef(x.T))
    assert mode_references(x, 1).tolist() == [strength.mean(axis=1).argmax()]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-1e6, 1e6))
def test_affine_changes_of_columns_change_no_mode(seed, scale, shift):
    x, _ = walks(noise=0.5, seed=seed)
    signs = np.where(np.arange(80) % 2, -scale, scale)
    one, other = CorrelationModeDecomposition(4).fit(x), CorrelationModeDecomposition(4).fit(x * signs + shift)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_allclose(np.abs(one.correlation_), np.abs(other.correlation_), atol=1e-6)


def test_columns_that_do_not_move():
    x, _ = walks()
    x[:, 3] = 1e9
    x[:, 5] = 0.1
    modes = CorrelationModeDecomposition(4).fit(x)
    assert modes.labels_[[3, 5]].tolist() == [-1, -1]
    assert np.isnan(modes.correlation_[[3, 5]]).all()
    np.testing.assert_allclose(modes.project(x)[:, [3, 5]], x[:, [3, 5]])


@pytest.mark.parametrize("block", [1, 7, 60])
def test_online_equals_offline(block):
    x, _ = walks(noise=1.0)
    x += 1e3
    online = OnlineCMD(4, n_warmup=15)
    for start in range(0, 60, block):
        online.partial_fit(x[start : start + block])
    given_references = OnlineCMD(references=online.references_).fit(x)
    best = np.abs(np.corrcoef(x.T)[:, online.references_]).argmax(axis=1)
    np.testing.assert_array_equal(online.labels_, best)
    lines = np.array([np.polyfit(x[:, online.references_[best[i]]], x[:, i], 1) for i in range(80)])
    for model in (online, given_references):
        np.testing.assert_allclose(model.slope_, lines[:, 0], atol=1e-8)
        np.testing.assert_allclose(model.intercept_, lines[:, 1], rtol=1e-8, atol=1e-8)
    assert online.n_seen_ == 60


def test_online_lets_its_warm_up_go():
    x, _ = walks(n_steps=400)
    online = OnlineCMD(4, n_warmup=20)

    def held():
        arrays = [*online._history, *(vars(online._moments).values() if online._moments else [])]
        return sum(array.size for array in arrays if isinstance(array, np.ndarray))

    sizes = [held() for row in x if online.partial_fit(row[None])]
    assert sizes[18] == 19 * 80
    assert set(sizes[19:]) == {80 * (4 + 2) + 4}


def test_online_is_provisional_until_it_is_warm():
    x, _ = walks()
    online = OnlineCMD(4, n_warmup=30).partial_fit(x[:10])
    assert not online.is_warm_
    np.testing.assert_array_equal(online.references_, mode_references(x[:10], 4))
    online.partial_fit(x[10:40]).partial_fit(x[40:])
    assert online.is_warm_
    np.testing.assert_array_equal(online.references_, mode_references(x[:40], 4))


def test_embedded_ties_the_settled_and_never_a_reference():
    x, _ = walks(n_steps=60, noise=0.3)
    cmd = EmbeddedCMD(4, n_warmup=10, every=4, share=0.2, most=0.7)
    counts = []
    for row in x:
        out = cmd.step(row)
        counts.append(int(cmd.tied.sum()))
        np.testing.assert_array_equal(out[~cmd.tied], row[~cmd.tied])
    assert counts[12] == 0 and counts[13] == 16 and counts[17] == 32 and counts[-1] == 56
    assert not cmd.tied[cmd.online.references_].any()
    assert cmd.n_sent == sum(80 - n for n in [0, *counts[:-1]])
    assert not np.allclose(out[cmd.tied], x[-1][cmd.tied])


def test_follow_puts_tied_weights_on_a_fixed_line():
    x, _ = walks(n_steps=40)
    cmd = EmbeddedCMD(4, n_warmup=10, every=5, share=0.5)
    for row in x:
        cmd.step(row)
    tied = np.flatnonzero(cmd.tied)
    there = [cmd.follow(x[t])[tied] for t in (3, 17, 30)]
    references = x[[3, 17, 30]][:, cmd.online.references_]
    for i in range(len(tied)):
        points = np.array([row[i] for row in there])
        fits = [np.polyfit(references[:, m], points, 1, full=True)[1] for m in range(4)]
        assert min(float(f[0]) if len(f) else 0.0 for f in fits) < 1e-12


@pytest.mark.parametrize(
    ("parameters", "word"),
    [({"n_modes": 0}, "n_modes"), ({"n_sampled": 0}, "n_sampled"), ({"threshold": 1.5}, "threshold")],
)
def test_bad_parameters(parameters, word):
    with pytest.raises(ValueError, match=word):
        CorrelationModeDecomposition(**parameters).fit(walks()[0])


def test_bad_input():
    x, _ = walks()
    with pytest.raises(ValueError, match="no column moves"):
        CorrelationModeDecomposition().fit(np.ones((5, 3)))
    with pytest.raises(ValueError, match="finite"):
        mode_references(np.where(np.eye(60, 80) > 0, np.nan, x))
    with pytest.raises(ValueError, match="n_steps"):
        mode_references(x[0])
    with pytest.raises(ValueError, match="n_warmup"):
        OnlineCMD(n_warmup=1).fit(x)
    with pytest.raises(ValueError, match="references"):
        OnlineCMD(references=[80]).fit(x)
    with pytest.raises(ValueError, match="columns"):
        CorrelationModeDecomposition(4).fit(x).inverse_transform(x)
    with pytest.raises(ValueError, match="every"):
        EmbeddedCMD(every=0)
    with pytest.raises(ValueError, match="share"):
        EmbeddedCMD(share=0)
    with pytest.raises(ValueError, match="one vector"):
        EmbeddedCMD().step(x)
    cmd = EmbeddedCMD()
    cmd.step(x[0])
    with pytest.raises(ValueError, match="first step had 80 weights, this one has 3"):
        cmd.step(x[1, :3])


def training(module, recorder=None, n_steps=40, seed=0):
    """Steps of gradient descent with a recorder as the optimiser's hook; yields the weights after each."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(64, 5, generator=generator)
    y = torch.tanh(x @ torch.randn(5, 2, generator=generator))
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.2)
    if recorder is not None:
        optimizer.register_step_post_hook(recorder.record)
    for _ in range(n_steps):
        optimizer.zero_grad()
        ((module(x) - y) ** 2).mean().backward()
        optimizer.step()
        trained = [p for p in module.parameters() if p.requires_grad]
        yield torch.cat([p.detach().ravel() for p in trained]).double().numpy()


def network(seed=0):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module


def test_recorder_keeps_the_weights_after_each_step():
    module = network()
    recorder = WeightRecorder(module)
    expected = np.array(list(training(module, recorder)))
    np.testing.assert_array_equal(recorder.trajectory, expected)
    assert recorder.n_rows == recorder.n_calls == 40
    bias = recorder.trajectory[-1][recorder.slices["2.bias"]]
    np.testing.assert_array_equal(bias, module[2].bias.detach().numpy())
    assert not np.shares_memory(recorder.weights(), module[0].weight.detach().numpy())


def test_recorder_takes_one_row_in_so_many_steps():
    module, every_third = network(), 3
    recorder = WeightRecorder(module, every=every_third)
    expected = np.array(list(training(module, recorder)))[2::3]
    np.testing.assert_array_equal(recorder.trajectory, expected)
    assert (recorder.n_calls, recorder.n_rows) == (40, 13)


def test_recorder_feeds_online_modes_and_writes_the_modelled_weights():
    module = network()
    recorder = WeightRecorder(module, OnlineCMD(3, n_warmup=10))
    expected = OnlineCMD(3, n_warmup=10)
    for row in training(module, recorder):
        expected.partial_fit(row[None])
    np.testing.assert_allclose(recorder.modes.slope_, expected.slope_)
    assert recorder.trajectory.shape == (0, 50)
    parameters = list(module.parameters())
    recorder.write_modelled()
    np.testing.assert_allclose(recorder.weights(), expected.project(row[None])[0], atol=1e-6)
    assert np.abs(recorder.weights() - row).max() > 1e-4
    assert all(a is b for a, b in zip(parameters, module.parameters()))


def test_recorder_writes_a_model_of_the_trajectory():
    module = network()
    recorder = WeightRecorder(module)
    *_, last = training(module, recorder)
    model = CorrelationModeDecomposition(3).fit(recorder.trajectory)
    recorder.write_modelled(model)
    np.testing.assert_allclose(recorder.weights(), model.project(last[None])[0], atol=1e-6)


def test_recorder_keeps_tied_weights_on_their_line_while_training_goes_on():
    module, reference = network(), network()
    cmd = EmbeddedCMD(3, n_warmup=6, every=2, share=0.2, most=0.6)
    recorder = WeightRecorder(module, cmd, every=2)
    for weights in training(module, recorder):
        if cmd.tied.any():
            np.testing.assert_allclose(weights, cmd.follow(weights), atol=1e-6)
    *_, free = training(reference)
    assert cmd.tied.sum() == 30 and recorder.n_rows == cmd.online.n_seen_ == 20
    assert np.abs(weights - free).max() > 1e-3


def test_recorder_follows_trainable_parameters_of_any_precision():
    torch = pytest.importorskip("torch")
    module = network().to(torch.bfloat16)
    module[0].weight.requires_grad_(False)
    before = module[0].weight.clone()
    recorder = WeightRecorder(module)
    assert list(recorder.slices) == ["0.bias", "2.weight", "2.bias"]
    recorder.write(np.arange(20.0))
    np.testing.assert_array_equal(recorder.weights(), np.arange(20.0))
    assert torch.equal(module[0].weight, before) and module[2].weight.dtype == torch.bfloat16
    assert module[2].weight.requires_grad and module[2].weight.tolist()[1] == [12, 13, 14, 15, 16, 17]


def test_recorder_names_bad_input():
    module = network()
    with pytest.raises(TypeError, match="named_parameters"):
        WeightRecorder([1.0])
    with pytest.raises(TypeError, match="OnlineCMD, EmbeddedCMD or None"):
        WeightRecorder(module, CorrelationModeDecomposition())
    with pytest.raises(ValueError, match="every"):
        WeightRecorder(module, every=0)
    with pytest.raises(ValueError, match="50 finite numbers"):
        WeightRecorder(module).write(np.ones(49))
    with pytest.raises(ValueError, match="50 finite numbers"):
        WeightRecorder(module).write(np.full(50, np.nan))
    with pytest.raises(ValueError, match="give a model"):
        WeightRecorder(module).write_modelled()
    with pytest.raises(ValueError, match="no trainable"):
        WeightRecorder(module.requires_grad_(False))
