"""Representations for treatment effects by evolving small networks, and two learners of effects; needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d, validate_data
from torch import Tensor
from torch.nn.functional import leaky_relu

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Population:
    """Networks with one hidden layer each, stacked, so that all are trained in the same products.

    Parameters
    ----------
    weight : Tensor of shape (n_networks, n_features, n_units)
    bias : Tensor of shape (n_networks, n_units)
    output : Tensor of shape (n_networks, n_units)
    offset : Tensor of shape (n_networks,)
    """

    weight: Tensor
    bias: Tensor
    output: Tensor
    offset: Tensor

    @classmethod
    def draw(cls, n_networks: int, n_features: int, n_units: int, generator: torch.Generator) -> Population:
        def normal(*shape: int, fan: int) -> Tensor:
            return torch.randn(*shape, generator=generator) / fan**0.5

        return cls(
            normal(n_networks, n_features, n_units, fan=n_features),
            torch.zeros(n_networks, n_units),
            normal(n_networks, n_units, fan=n_units),
            torch.zeros(n_networks),
        )

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.weight, self.bias, self.output, self.offset

    def take(self, members: list[int]) -> Population:
        return Population(*(part[members] for part in self.parts))

    def joined(self, other: Population) -> Population:
        return Population(*(torch.cat(pair) for pair in zip(self.parts, other.parts)))

    def hidden(self, x: Tensor) -> Tensor:
        """The representation of rows, shape (n_networks, n_rows, n_units)."""
        return leaky_relu(torch.einsum("nd,pdh->pnh", x, self.weight) + self.bias[:, None], 0.1)

    def predict(self, x: Tensor) -> Tensor:
        """Predicted outcome, shape (n_networks, n_rows)."""
        return torch.einsum("pnh,ph->pn", self.hidden(x), self.output) + self.offset[:, None]


def train_population(
    population: Population,
    x: Tensor,
    y: Tensor,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    generator: torch.Generator,
) -> Population:
    """Train every network on the squared error of `y` by AdamW; the one given is left as it is.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    parts = [part.clone().requires_grad_() for part in population.parts]
    trained = Population(*parts)
    optimiser = torch.optim.AdamW(parts, lr=learning_rate, weight_decay=weight_decay)
    for rows in _batches(len(x), batch_size, n_epochs, generator):
        loss = ((trained.predict(x[rows]) - y[rows]) ** 2).mean(dim=1).sum()  # networks share no parameter
        if not torch.isfinite(loss):
            raise ValueError("the training diverged; lower learning_rate")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Population(*(part.detach() for part in parts))


def _batches(n: int, size: int, n_epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(n_epochs):
        order = torch.randperm(n, generator=generator)
        yield from order.split(size)


def cross(population: Population, n_children: int, mutation_scale: float, generator: torch.Generator) -> Population:
    """Children that take half of their hidden units from each of two parents, with noise on the weights.

    Parameters
    ----------
    population : Population
        The parents.
    n_children : int
    mutation_scale : float
        Standard deviation of the noise, in units of the standard deviation of the child's incoming weights.
    generator : torch.Generator

    Returns
    -------
    Population
    """
    n, n_units = population.bias.shape
    children = []
    for _ in range(n_children):
        mother, father = torch.randperm(n, generator=generator)[:2].tolist() if n > 1 else (0, 0)
        units = [torch.randperm(n_units, generator=generator) for _ in range(2)]
        half = (n_units + 1) // 2
        sources = [(mother, units[0][:half]), (father, units[1][half:])]
        weight = torch.cat([population.weight[p][:, u] for p, u in sources], dim=1)
        noise = torch.randn(weight.shape, generator=generator) * mutation_scale * weight.std(correction=0)
        children.append(
            (
                weight + noise,
                torch.cat([population.bias[p][u] for p, u in sources]),
                torch.cat([population.output[p][u] for p, u in sources]),
                (population.offset[mother] + population.offset[father]) / 2.0,
            )
        )
    return Population(*(torch.stack(parts) for parts in zip(*children)))


@dataclass(frozen=True, eq=False)
class _Split:
    """Standardised rows to train on and to judge by, their outcomes, and their treatment where it is known."""

    inputs: tuple[Tensor, Tensor]
    outcome: tuple[Tensor, Tensor]
    treated: tuple[Mask, Mask] | None


class NeuroevolutionaryRepresentation(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Hidden layer of networks of an outcome, evolved until it says little about who was treated.

    A population of networks with one hidden layer learns the outcome from the columns; the treatment is no input.
    The fittest are those from whose hidden layer a simple classifier predicts the treatment worst, among those that
    predict the outcome about as well as the best of the first generation. In each generation the fittest survive as
    they are; the others give way to children that take half of their hidden units from each of two survivors, are
    mutated, and are trained again. The hidden layer of the last fittest network takes the place of the columns in
    learners of treatment effects.

    Parameters
    ----------
    n_components : int, optional
        Hidden units; as many as columns by default.
    population : int
        Networks of a generation.
    n_generations : int
        Generations after the first; 0 keeps the fittest of the first.
    n_survivors : int, optional
        Networks that survive and have children; a third of the population by default, at least two.
    mutation_scale : float
        Standard deviation of the noise on a child's incoming weights, in units of that of the weights themselves.
    tolerance : float
        Share by which the validation error of the outcome may exceed the least of the first generation.
    classifier : estimator, optional
        Predicts the treatment, with ``predict_proba``; logistic regression of standardised values by default. One with
        a `random_state` of None gets a seed, the same for every network.
    validation_fraction : float
        Share of the rows that judge, 0..1.
    n_epochs, child_epochs : int
        Passes over the rows in the first generation, and of a child.
    batch_size : int
    learning_rate, weight_decay : float
        Of AdamW.
    random_state : int, RandomState or None

    Attributes
    ----------
    network_ : Population
        The fittest network alone.
    fitness_ : ndarray of shape (n_generations + 1,)
        Log loss of the classifier of the treatment on the fittest network of each generation, in nats; never falls.
        Without a treatment minus the validation error of the outcome.
    outcome_error_ : float
        Mean squared error of the fittest network on the validation rows, over the variance of the outcome.
    n_iter_ : int
        Generations.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If values are missing, the treatment does not have two values, each in the training and validation rows, a
        parameter is out of range, or training diverges.

    Notes
    -----
    The evolution of representations by this fitness is the subject of a patent application in the United States.
    What is kept from the outcome's network has no guarantee to keep confounders: compare estimates with those on the
    columns themselves.

    References
    ----------
    Burkhart and Ruiz (2022), Neuroevolutionary Feature Representations for Causal Inference. arXiv:2205.10541.

    Examples
    --------
    The treatment follows the first column, the outcome the second:

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 4))
    >>> treatment = X[:, 0] + 0.5 * rng.normal(size=400) > 0
    >>> y = np.abs(X[:, 1]) + treatment
    >>> model = NeuroevolutionaryRepresentation(3, population=4, n_generations=2, random_state=0)
    >>> model.fit(X, y, treatment).transform(X).shape
    (400, 3)
    >>> bool((np.diff(model.fitness_) >= 0).all())
    True
    """

    def __init__(
        self,
        n_components: int | None = None,
        population: int = 9,
        n_generations: int = 10,
        n_survivors: int | None = None,
        mutation_scale: float = 0.1,
        tolerance: float = 0.05,
        classifier: ClassifierMixin | None = None,
        validation_fraction: float = 0.3,
        n_epochs: int = 60,
        child_epochs: int = 15,
        batch_size: int = 64,
        learning_rate: float = 1e-2,
        weight_decay: float = 0.3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.population = population
        self.n_generations = n_generations
        self.n_survivors = n_survivors
        self.mutation_scale = mutation_scale
        self.tolerance = tolerance
        self.classifier = classifier
        self.validation_fraction = validation_fraction
        self.n_epochs = n_epochs
        self.child_epochs = child_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return self.network_.bias.shape[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, treatment: ArrayLike | None = None) -> Self:
        """Evolve the representation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            The outcome, a number.
        treatment : array-like of shape (n_samples,), optional
            Two values; the greater means treated. Without it the networks are judged by the outcome alone.
        """
        self._check_parameters()
        x, outcome = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=4)
        outcome = outcome.astype(np.float64)
        treated = None if treatment is None else treated_rows(treatment, len(outcome))
        rng = check_random_state(self.random_state)
        generator = torch.Generator().manual_seed(int(rng.randint(2**31)))
        self._judge = self._seeded_classifier(generator.initial_seed() % 2**31)
        split = self._split(x, outcome, treated, rng)
        n_units = self.n_components or x.shape[1]
        networks = self._trained(
            Population.draw(self.population, x.shape[1], n_units, generator), split, self.n_epochs, generator
        )
        self._evolve(networks, split, generator)
        return self

    def _check_parameters(self) -> None:
        least = {
            "n_components": 1,
            "population": 1,
            "n_generations": 0,
            "n_survivors": 1,
            "n_epochs": 1,
            "child_epochs": 1,
            "batch_size": 1,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | np.integer) or value < bound):
                raise ValueError(f"{name} must be a whole number from {bound}, got {value!r}")
        if self.n_survivors is not None and self.n_survivors > self.population:
            raise ValueError(f"n_survivors={self.n_survivors} exceeds the population of {self.population}")
        for name in ("mutation_scale", "tolerance", "weight_decay"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        if not 0.0 < self.validation_fraction < 1.0:
            raise ValueError(f"validation_fraction must lie in 0..1, got {self.validation_fraction}")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")

    def _seeded_classifier(self, seed: int) -> Any:
        """The classifier of the treatment; a seed for what would otherwise draw from the global generator."""
        if self.classifier is None:
            return make_pipeline(StandardScaler(), LogisticRegression())
        model: Any = clone(self.classifier)
        drawn = {
            name
            for name, value in model.get_params().items()
            if name.split("__")[-1] == "random_state" and value is None
        }
        return model.set_params(**dict.fromkeys(drawn, seed))

    def _split(self, x: Array, outcome: Array, treated: Mask | None, rng: np.random.RandomState) -> _Split:
        n_judges = min(max(round(self.validation_fraction * len(x)), 1), len(x) - 1)
        order = rng.permutation(len(x))
        judges, training = np.sort(order[:n_judges]), np.sort(order[n_judges:])
        if treated is not None and any(len(np.unique(treated[rows])) < 2 for rows in (judges, training)):
            raise ValueError(
                "the rows that train and those that judge must each hold both values of treatment; "
                "give more rows, or change validation_fraction or random_state"
            )
        self._scaler = StandardScaler().fit(x[training])
        scale = outcome[training].std() or 1.0
        standard = (outcome - outcome[training].mean()) / scale
        return _Split(
            (self._inputs(x[training]), self._inputs(x[judges])),
            (torch.as_tensor(standard[training]).float(), torch.as_tensor(standard[judges]).float()),
            None if treated is None else (treated[training], treated[judges]),
        )

    def _inputs(self, x: Array) -> Tensor:
        return torch.as_tensor(self._scaler.transform(x), dtype=torch.float32)

    def _trained(self, networks: Population, split: _Split, n_epochs: int, generator: torch.Generator) -> Population:
        settings = n_epochs, self.batch_size, self.learning_rate, self.weight_decay, generator
        return train_population(networks, split.inputs[0], split.outcome[0], *settings)

    def _evolve(self, networks: Population, split: _Split, generator: torch.Generator) -> None:
        n_survivors = self.n_survivors or max(round(self.population / 3), min(2, self.population))
        errors = self._outcome_errors(networks, split)
        worst = (1.0 + self.tolerance) * errors.min()
        fitness = self._fitness(networks, split, errors, worst)
        best = [float(fitness.max())]
        for _ in range(self.n_generations):
            kept = np.argsort(-fitness, kind="stable")[:n_survivors]
            survivors = networks.take(kept.tolist())
            networks, errors, fitness = survivors, errors[kept], fitness[kept]
            n_children = self.population - len(kept)
            if n_children:
                children = cross(survivors, n_children, self.mutation_scale, generator)
                children = self._trained(children, split, self.child_epochs, generator)
                new = self._outcome_errors(children, split)
                fitness = np.concatenate([fitness, self._fitness(children, split, new, worst)])
                networks, errors = survivors.joined(children), np.concatenate([errors, new])
            best.append(float(fitness.max()))
        fittest = int(fitness.argmax())
        self.network_ = networks.take([fittest])
        self.fitness_, self.outcome_error_ = np.array(best), float(errors[fittest])
        self.n_iter_ = self.n_generations

    @staticmethod
    def _outcome_errors(networks: Population, split: _Split) -> Array:
        with torch.no_grad():
            return ((networks.predict(split.inputs[1]) - split.outcome[1]) ** 2).mean(dim=1).double().numpy()

    def _fitness(self, networks: Population, split: _Split, errors: Array, worst: float) -> Array:
        """Loss of the classifier of the treatment on each network; minus infinity where the outcome is forgotten."""
        if split.treated is None:
            return -errors
        with torch.no_grad():
            training, judges = (networks.hidden(x).double().numpy() for x in split.inputs)
        fitness = np.full(len(networks), -np.inf)
        for k in np.flatnonzero(errors <= worst):
            fitted = clone(self._judge).fit(training[k], split.treated[0])
            fitness[k] = log_loss(split.treated[1], fitted.predict_proba(judges[k]))
        return fitness

    def transform(self, X: ArrayLike) -> Array:
        """Hidden units of the fittest network, shape (n_samples, n_components)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            return self.network_.hidden(self._inputs(x))[0].double().numpy()

    def predict_outcome(self, X: ArrayLike) -> Array:
        """Outcome that the fittest network expects, treated or not, in units of its standard deviation from its mean.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            return self.network_.predict(self._inputs(x))[0].double().numpy()


def treated_rows(treatment: ArrayLike, n_rows: int) -> Mask:
    """Which rows are treated.

    Raises
    ------
    ValueError
        If there are other than `n_rows` entries or two values, or values are missing.
    """
    values = column_or_1d(treatment)
    if len(values) != n_rows:
        raise ValueError(f"treatment has {len(values)} rows and X has {n_rows}; they must be the same rows")
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name="treatment")
    levels = np.unique(values)
    if len(levels) != 2:
        raise ValueError(f"treatment must have two values, got {len(levels)}")
    return values == levels[1]


def _arms(X: ArrayLike, y: ArrayLike, treatment: ArrayLike) -> tuple[Array, Array, Mask]:
    x, outcome = np.asarray(X, dtype=np.float64), column_or_1d(y).astype(np.float64)
    check_consistent_length(x, outcome)
    return x, outcome, treated_rows(treatment, len(outcome))


def t_learner(X: ArrayLike, y: ArrayLike, treatment: ArrayLike, X_new: ArrayLike, estimator: Any = None) -> Array:
    """Treatment effects as the difference of two regressions, one of the treated and one of the others.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        The outcome.
    treatment : array-like of shape (n_samples,)
        Two values; the greater means treated.
    X_new : array-like of shape (n_new, n_features)
        Rows whose effects are wanted.
    estimator : regressor, optional
        A random forest of 100 trees by default, ``random_state=0``.

    Returns
    -------
    ndarray of shape (n_new,)
        Expected outcome if treated minus expected outcome if not.

    Raises
    ------
    ValueError
        If the rows differ in number or the treatment does not have two values.

    References
    ----------
    Kuenzel, Sekhon, Bickel and Yu (2019), Metalearners for estimating heterogeneous treatment effects using machine
    learning. PNAS 116. arXiv:1706.03461.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> x = np.arange(8.0)[:, None]
    >>> treatment = np.arange(8) % 2
    >>> y = x[:, 0] + treatment * (1 + 2 * x[:, 0])
    >>> t_learner(x, y, treatment, [[0.0], [3.0]], LinearRegression()).round(6)
    array([1., 7.])
    """
    x, outcome, treated = _arms(X, y, treatment)
    new = np.asarray(X_new, dtype=np.float64)
    with_treatment, without = _two_fits(estimator, x, outcome, treated)
    return with_treatment.predict(new) - without.predict(new)


def _two_fits(estimator: Any, x: Array, outcome: Array, treated: Mask) -> tuple[Any, Any]:
    model = RandomForestRegressor(random_state=0) if estimator is None else estimator
    return clone(model).fit(x[treated], outcome[treated]), clone(model).fit(x[~treated], outcome[~treated])


def x_learner(
    X: ArrayLike,
    y: ArrayLike,
    treatment: ArrayLike,
    X_new: ArrayLike,
    estimator: Any = None,
    propensity: Any = None,
) -> Array:
    """Treatment effects from outcomes minus what the other arm's regression expects, weighted by the propensity.

    Parameters
    ----------
    X, y, treatment, X_new, estimator
        As for `t_learner`; `estimator` serves both stages.
    propensity : classifier, optional
        Of the treatment, with ``predict_proba``; logistic regression of standardised columns by default.

    Returns
    -------
    ndarray of shape (n_new,)

    Raises
    ------
    ValueError
        If the rows differ in number or the treatment does not have two values.

    References
    ----------
    Kuenzel, Sekhon, Bickel and Yu (2019), Metalearners for estimating heterogeneous treatment effects using machine
    learning. PNAS 116. arXiv:1706.03461.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> x = np.arange(8.0)[:, None]
    >>> treatment = np.arange(8) % 2
    >>> y = x[:, 0] + treatment * (1 + 2 * x[:, 0])
    >>> x_learner(x, y, treatment, [[0.0], [3.0]], LinearRegression()).round(6)
    array([1., 7.])
    """
    x, outcome, treated = _arms(X, y, treatment)
    new = np.asarray(X_new, dtype=np.float64)
    with_treatment, without = _two_fits(estimator, x, outcome, treated)
    effect = np.where(treated, outcome - without.predict(x), with_treatment.predict(x) - outcome)
    of_treated, of_others = (part.predict(new) for part in _two_fits(estimator, x, effect, treated))
    model = make_pipeline(StandardScaler(), LogisticRegression()) if propensity is None else propensity
    share = clone(model).fit(x, treated).predict_proba(new)[:, 1]
    return share * of_others + (1.0 - share) * of_treated
