"""Evolved representations: training side by side, crossover, elitism, and two learners of effects on known effects."""

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.learn.causal_representation import (
    NeuroevolutionaryRepresentation,
    Population,
    cross,
    t_learner,
    train_population,
    treated_rows,
    x_learner,
)

QUICK = {"population": 4, "n_generations": 2, "n_epochs": 5, "child_epochs": 2, "random_state": 0}


@parametrize_with_checks([NeuroevolutionaryRepresentation(**QUICK)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def trial(n=400, seed=0):
    """The treatment follows columns 0 and 2, the outcome columns 1 and 2, the effect is 1 + column 2."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    treated = 2.0 * X[:, 0] + X[:, 2] + rng.normal(size=n) > 0
    return X, treated, np.abs(X[:, 1]) + X[:, 2] + treated * (1.0 + X[:, 2]) + 0.1 * rng.normal(size=n)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_stack_predicts_as_each_network_does():
    networks = Population.draw(3, 4, 5, generator())
    x = torch.randn(7, 4, generator=generator(1))
    for k in range(3):
        hidden = torch.nn.functional.leaky_relu(x @ networks.weight[k] + networks.bias[k], 0.1)
        assert torch.allclose(networks.hidden(x)[k], hidden, atol=1e-6)
        assert torch.allclose(networks.predict(x)[k], hidden @ networks.output[k] + networks.offset[k], atol=1e-6)


def test_networks_trained_side_by_side_are_those_trained_alone():
    networks = Population.draw(3, 4, 5, generator())
    x, y = torch.randn(50, 4, generator=generator(1)), torch.randn(50, generator=generator(2))
    settings = (x, y, 3, 16, 1e-2, 0.1)
    together = train_population(networks, *settings, generator(3))
    for k in range(3):
        alone = train_population(networks.take([k]), *settings, generator(3))
        for part, whole in zip(alone.parts, together.parts):
            assert torch.allclose(part[0], whole[k], atol=1e-5)
    assert torch.equal(networks.weight, Population.draw(3, 4, 5, generator()).weight)


def test_training_lowers_the_error():
    X, _, y = trial()
    x, y = torch.as_tensor(X).float(), torch.as_tensor(y).float()
    networks = Population.draw(2, 6, 8, generator())
    trained = train_population(networks, x, y, 40, 64, 1e-2, 0.0, generator(1))
    before, after = (((p.predict(x) - y) ** 2).mean(dim=1) for p in (networks, trained))
    assert (after < 0.2 * before).all()


def test_a_child_has_half_of_its_units_from_each_of_two_parents():
    parents = Population.draw(3, 4, 6, generator())
    parents.bias.copy_(torch.arange(18.0).reshape(3, 6))  # a unit is known by its bias
    children = cross(parents, 5, 0.0, generator(1))
    for k in range(5):
        origin = children.bias[k].long()
        assert sorted(torch.bincount(origin // 6, minlength=3).tolist()) == [0, 3, 3]
        assert len(set(origin.tolist())) == 6
        for unit, source in enumerate(origin.tolist()):
            assert torch.equal(children.weight[k][:, unit], parents.weight[source // 6][:, source % 6])
            assert children.output[k, unit] == parents.output[source // 6, source % 6]


def test_mutation_has_the_stated_size():
    parents = Population.draw(2, 40, 50, generator())
    noise = cross(parents, 1, 0.5, generator(1)).weight - cross(parents, 1, 0.0, generator(1)).weight
    assert noise.std() == pytest.approx(0.5 * float(parents.weight.std()), rel=0.05)


def test_the_best_fitness_never_falls_and_the_outcome_is_kept():
    X, treated, y = trial(600)
    settings = {"n_components": 4, "population": 6, "n_epochs": 30, "child_epochs": 8, "random_state": 0}
    first = NeuroevolutionaryRepresentation(n_generations=0, **settings).fit(X, y, treated)
    model = NeuroevolutionaryRepresentation(n_generations=8, tolerance=0.1, **settings).fit(X, y, treated)
    assert model.fitness_.shape == (9,) and (np.diff(model.fitness_) >= 0).all()
    assert model.fitness_[-1] > model.fitness_[0] == first.fitness_[0]
    least = NeuroevolutionaryRepresentation(n_generations=0, **settings).fit(X, y)  # fittest by the outcome alone
    assert model.outcome_error_ <= 1.1 * least.outcome_error_ + 1e-9
    assert least.outcome_error_ == pytest.approx(-least.fitness_[0])
    assert np.corrcoef(model.predict_outcome(X), y)[0, 1] > 0.9


def test_the_treatment_is_harder_to_tell_than_from_the_columns():
    X, treated, y = trial(800)
    model = NeuroevolutionaryRepresentation(3, 6, 5, n_epochs=40, random_state=0).fit(X, y, treated)
    score = [
        LogisticRegression().fit(z[:400], treated[:400]).score(z[400:], treated[400:]) for z in (X, model.transform(X))
    ]
    assert score[1] < score[0] - 0.05


def test_the_same_seed_gives_the_same_bits_and_labels_do_not_matter():
    X, treated, y = trial(120)
    one = NeuroevolutionaryRepresentation(**QUICK).fit(X, y, treated).transform(X)
    words = np.where(treated, "yes", "no")
    assert (NeuroevolutionaryRepresentation(**QUICK).fit(X, y, words).transform(X) == one).all()
    assert (
        NeuroevolutionaryRepresentation(**(QUICK | {"random_state": 1})).fit(X, y, treated).transform(X) != one
    ).any()


def test_global_seeds_and_threads_are_left_alone():
    X, treated, y = trial(60)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    NeuroevolutionaryRepresentation(**QUICK).fit(X, y, treated)
    assert torch.equal(torch.random.get_rng_state(), before) and torch.get_num_threads() == threads


def test_units_scale_and_a_constant_outcome_do_not_matter():
    X, treated, y = trial(120)
    one = NeuroevolutionaryRepresentation(**QUICK).fit(X, y, treated)
    far = NeuroevolutionaryRepresentation(**QUICK).fit(1e6 * X + 1e9, 1e3 * y - 1e6, treated)
    assert far.fitness_ == pytest.approx(one.fitness_, abs=1e-2)
    assert np.isfinite(NeuroevolutionaryRepresentation(**QUICK).fit(X, np.ones(120), treated).transform(X)).all()


def test_any_classifier_judges():
    X, treated, y = trial(120)
    model = NeuroevolutionaryRepresentation(classifier=DummyClassifier(strategy="prior"), **QUICK).fit(X, y, treated)
    assert model.fitness_ == pytest.approx(model.fitness_[0])


def test_a_classifier_without_a_seed_gets_one():
    X, treated, y = trial(120)
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    runs = [NeuroevolutionaryRepresentation(classifier=forest, **QUICK).fit(X, y, treated) for _ in range(2)]
    assert np.array_equal(runs[0].fitness_, runs[1].fitness_) and forest[-1].random_state is None


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number from 1, got 0"),
        ({"population": 0}, "population must be a whole number from 1"),
        ({"n_generations": -1}, "n_generations must be a whole number from 0"),
        ({"n_survivors": 9}, "n_survivors=9 exceeds the population of 4"),
        ({"mutation_scale": -1.0}, "mutation_scale must be at least 0"),
        ({"tolerance": np.nan}, "tolerance must be at least 0"),
        ({"validation_fraction": 1.0}, "validation_fraction must lie in 0..1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": 1e30}, "diverged; lower learning_rate"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, treated, y = trial(60)
    with pytest.raises(ValueError, match=message):
        NeuroevolutionaryRepresentation(**(QUICK | parameters)).fit(X, y, treated)


def test_bad_treatments_are_named():
    X, treated, y = trial(60)
    model = NeuroevolutionaryRepresentation(**QUICK)
    with pytest.raises(ValueError, match="treatment must have two values, got 1"):
        model.fit(X, y, np.ones(60))
    with pytest.raises(ValueError, match="treatment has 59 rows and X has 60"):
        model.fit(X, y, treated[1:])
    with pytest.raises(ValueError, match="treatment contains NaN"):
        model.fit(X, y, np.where(treated, np.nan, 0.0))
    with pytest.raises(ValueError, match="must each hold both values of treatment"):
        model.fit(X, y, np.arange(60) == 0)


def test_which_value_means_treated():
    assert treated_rows([3, 1, 3], 3).tolist() == [True, False, True]
    assert treated_rows(["b", "a"], 2).tolist() == [True, False]


@pytest.mark.parametrize("learner", [t_learner, x_learner])
def test_linear_effects_are_found_by_linear_regressions(learner):
    X, treated, _ = trial(2000)
    y = X[:, 1] - X[:, 2] + treated * (1.0 + 2.0 * X[:, 2])
    new = np.random.default_rng(5).normal(size=(30, 6))
    assert learner(X, y, treated, new, LinearRegression()) == pytest.approx(1.0 + 2.0 * new[:, 2], abs=1e-6)


def test_the_x_learner_weighs_the_arms_by_the_propensity():
    """With constant regressions: the treated say mean(y1) - mean(y0), and so do the others."""
    X, treated, y = trial(200)
    share = DummyClassifier(strategy="prior")
    found = x_learner(X, y, treated, X[:3], DummyRegressor(), share)
    assert found == pytest.approx(y[treated].mean() - y[~treated].mean())


def test_the_x_learner_gains_where_few_are_treated():
    """A step that few treated rows cannot place; the effect itself is constant."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(1500, 3))
    treated = rng.random(1500) < 0.05
    y = 5.0 * (X[:, 0] > 0.3) + treated + 0.1 * rng.normal(size=1500)
    errors = [np.abs(learner(X, y, treated, X) - 1.0).mean() for learner in (t_learner, x_learner)]
    assert errors[1] < 0.5 * errors[0]


def test_bad_rows_of_learners_are_named():
    X, treated, y = trial(20)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        t_learner(X, y[1:], treated[1:], X)
    with pytest.raises(ValueError, match="two values"):
        x_learner(X, y, np.zeros(20), X)
