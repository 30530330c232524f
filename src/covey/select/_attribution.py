"""Attributions of a model's output to columns: gradients of scikit-learn's networks, and removal for other models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from covey.engine._local import one_blas_thread

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Method = Literal["integrated_gradients", "saliency", "deeplift", "ablation", "permutation"]
RandomState = int | np.random.Generator | None

METHODS: tuple[str, ...] = get_args(Method)
GRADIENT_METHODS = ("integrated_gradients", "saliency", "deeplift")
MOST_CELLS = 4_000_000  # of one block of hidden activities


def _sigmoid_slope(z: Array) -> Array:
    value = expit(z)
    return value * (1.0 - value)


_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(np.float64)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "logistic": (expit, _sigmoid_slope),
    "identity": (lambda z: z, np.ones_like),
}


@dataclass(frozen=True, eq=False)
class Network:
    """Layers of a feed-forward network, without the function after its last layer.

    Parameters
    ----------
    weights : tuple of ndarray of shape (n_inputs, n_units)
    biases : tuple of ndarray of shape (n_units,)
    activation : {"relu", "tanh", "logistic", "identity"}

    Examples
    --------
    >>> net = Network((np.array([[2.0], [-1.0]]), np.array([[3.0]])), (np.zeros(1), np.ones(1)), "relu")
    >>> net.outputs(np.array([[1.0, 1.0]])).tolist(), net.gradient(np.array([[1.0, 1.0]])).tolist()
    ([[4.0]], [[6.0, -3.0]])
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activation: str

    @classmethod
    def of(cls, model: Any) -> Network | None:
        """The network of a fitted `MLPRegressor` or `MLPClassifier`; None of other models."""
        if not isinstance(model, MLPRegressor | MLPClassifier):
            return None
        check_is_fitted(model)
        weights = tuple(np.asarray(w, dtype=np.float64) for w in model.coefs_)
        return cls(weights, tuple(np.asarray(b, dtype=np.float64) for b in model.intercepts_), model.activation)

    def states(self, first: Array) -> list[Array]:
        """What arrives at each layer from the first on, given what arrives at the first; the last are the outputs."""
        act = _ACTIVATIONS[self.activation][0]
        states = [first]
        for weight, bias in zip(self.weights[1:], self.biases[1:]):
            states.append(act(states[-1]) @ weight + bias)
        return states

    def outputs(self, X: Array) -> Array:
        """Outputs before their last function (logits of classes), shape (n_samples, n_outputs)."""
        return self.states(X @ self.weights[0] + self.biases[0])[-1]

    def gradient(self, X: Array, output: int | Rows = 0) -> Array:
        """Derivative of an output (of one, or of one for each row) by the columns, shape (n_samples, n_features)."""
        return self._to_first(self.states(X @ self.weights[0] + self.biases[0]), output) @ self.weights[0].T

    def integrated_gradients(self, X: Array, baseline: Array, output: int | Rows = 0, n_steps: int = 32) -> Array:
        """Difference from the baseline times the mean gradient between, by Gauss-Legendre nodes.

        The first layer is linear, so that only the hidden layers are passed at each node.
        """
        nodes, shares = np.polynomial.legendre.leggauss(n_steps)
        start = baseline @ self.weights[0] + self.biases[0]
        way = (X - baseline) @ self.weights[0]
        total = np.zeros(way.shape)
        for node, share in zip((nodes + 1.0) / 2.0, shares / 2.0):
            total += share * self._to_first(self.states(start + node * way), output)
        return (X - baseline) * (total @ self.weights[0].T)

    def deeplift(self, X: Array, baseline: Array, output: int | Rows = 0) -> Array:
        """DeepLift's rescale rule: slopes of activations are those of the chord from the baseline's state."""
        states = self.states(X @ self.weights[0] + self.biases[0])
        origin = self.states(np.atleast_2d(baseline @ self.weights[0] + self.biases[0]))
        return (X - baseline) * (self._to_first(states, output, origin) @ self.weights[0].T)

    def ablation(self, X: Array, baseline: Array, labels: Rows, output: int | Rows = 0) -> Array:
        """Fall of the output when a group of columns is set to the baseline, shape (n_samples, n_groups)."""
        weight = self.weights[0]
        first = X @ weight + self.biases[0]
        full = pick(self.states(first)[-1], output)
        out = np.empty((len(X), labels.max() + 1))
        for group in range(out.shape[1]):
            own = labels == group
            without = first - (X[:, own] - baseline[own]) @ weight[own]
            out[:, group] = full - pick(self.states(without)[-1], output)
        return out

    def _to_first(self, states: list[Array], output: int | Rows, origin: list[Array] | None = None) -> Array:
        """Derivative of an output by what arrives at the first layer, shape (n_samples, n_units)."""
        delta = np.zeros(states[-1].shape)
        delta[np.arange(len(delta)), output] = 1.0
        for k in range(len(self.weights) - 1, 0, -1):
            slopes = self._slopes(states[k - 1], None if origin is None else origin[k - 1])
            delta = (delta @ self.weights[k].T) * slopes
        return delta

    def _slopes(self, state: Array, origin: Array | None) -> Array:
        act, slope = _ACTIVATIONS[self.activation]
        if origin is None:
            return slope(state)
        difference = state - origin
        near = np.abs(difference) < 1e-7
        chord = (act(state) - act(origin)) / np.where(near, 1.0, difference)
        return np.where(near, slope(state), chord)


def pick(outputs: Array, output: int | Rows) -> Array:
    """One output of each row, shape (n_rows,)."""
    return outputs[:, output] if isinstance(output, int) else outputs[np.arange(len(outputs)), output]


def model_outputs(model: Any, X: Any) -> Array:
    """What a fitted model says of each row as numbers, shape (n_samples, n_outputs).

    Of a classifier the probabilities of the classes, or its decision function where it has none; of two classes, that
    of the second only. Of a regressor its predictions; of a callable what it returns.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model_outputs(LogisticRegression().fit(x, ["a", "a", "b", "b"]), x).shape
    (4, 1)
    """
    name = next((n for n in ("predict_proba", "decision_function", "predict") if hasattr(model, n)), None)
    if name is None and not callable(model):
        raise TypeError(f"model must be fitted and able to predict, or be a function, not {type(model).__name__}")
    found = np.asarray(model(X) if name is None else getattr(model, name)(X), dtype=np.float64)
    if found.ndim == 1:
        found = found[:, None]
    return found[:, 1:] if name == "predict_proba" and found.shape[1] == 2 else found


def attribute_columns(
    model: Any,
    X: ArrayLike,
    method: Method = "integrated_gradients",
    baseline: ArrayLike | None = None,
    groups: Sequence[int] | None = None,
    output: int | None = None,
    n_steps: int = 32,
    random_state: RandomState = 0,
) -> Array:
    """How much each column adds to a fitted model's output, row by row.

    Networks of scikit-learn (`MLPRegressor`, `MLPClassifier`) are attributed before the function of their last layer:
    classes by their logits. Other models can only be asked again without a column.

    Parameters
    ----------
    model : fitted scikit-learn model, or callable (X) -> ndarray of shape (n_samples,) or (n_samples, n_outputs)
    X : array-like of shape (n_samples, n_features)
        Numbers, as the model was fitted on.
    method : {"integrated_gradients", "saliency", "deeplift", "ablation", "permutation"}
        Mean gradient from the baseline to the row, times their difference; the gradient itself; the same with the
        slopes of chords; fall of the output with the column at the baseline; fall with the column of another row. The
        first three need a network.
    baseline : array-like of shape (n_features,), optional
        By default 0, which is the mean of a standardised column.
    groups : sequence of int of shape (n_features,), optional
        Columns of the same label, counted from 0, are taken together; of the gradient itself, absolute values add up.
    output : int, optional
        Of several outputs (more than two classes), the one to explain; by default the largest one of each row.
    n_steps : int
        Nodes of the integral.
    random_state : int, Generator or None
        Of the other rows of ``"permutation"``.

    Returns
    -------
    ndarray of shape (n_samples, n_features) or (n_samples, n_groups)
        Integrated gradients (up to the integral's error) and DeepLift sum to the output less that of the baseline.

    Raises
    ------
    ValueError
        If a shape or a name is wrong, or the method needs a network.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2013), Deep Inside Convolutional Networks. arXiv:1312.6034. Sundararajan, Taly and
    Yan (2017), Axiomatic Attribution for Deep Networks. ICML. arXiv:1703.01365. Shrikumar, Greenside and Kundaje
    (2017), Learning Important Features Through Propagating Activation Differences. ICML. arXiv:1704.02685.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    >>> model = LinearRegression().fit(x, x @ [2.0, -1.0])
    >>> attribute_columns(model, x, "ablation").round(6).tolist()
    [[2.0, 0.0], [0.0, -1.0], [4.0, -3.0]]
    """
    x, base, labels = _checked(X, method, baseline, groups)
    network = Network.of(model)
    if network is None and method in GRADIENT_METHODS:
        raise ValueError(
            f"method {method!r} needs the gradients of MLPRegressor or MLPClassifier, not {type(model).__name__}; "
            "use 'ablation' or 'permutation'"
        )
    values = (network.outputs(x) if network else model_outputs(model, x)) if output is None else None
    chosen: int | Rows = output or 0
    if values is not None and values.shape[1] > 1:
        chosen = np.argmax(values, axis=1)
    with one_blas_thread():  # products of a layer are small
        if method == "permutation":
            return _permuted(model, x, labels, chosen, np.random.default_rng(random_state))
        if network is None:
            return _ablated(model, x, base, labels, chosen)
        return _of_network(network, x, method, base, labels, chosen, n_steps)


def _checked(
    X: ArrayLike, method: str, baseline: ArrayLike | None, groups: Sequence[int] | None
) -> tuple[Array, Array, Rows]:
    x = np.asarray(X, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"X must have shape (n_samples, n_features) and not be empty, got {x.shape}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    base = np.zeros(x.shape[1]) if baseline is None else np.asarray(baseline, dtype=np.float64)
    if base.shape != (x.shape[1],):
        raise ValueError(f"baseline has shape {base.shape}, but X has {x.shape[1]} columns")
    labels = np.arange(x.shape[1]) if groups is None else np.asarray(groups, dtype=np.intp)
    if labels.shape != base.shape or labels.min() < 0:
        raise ValueError(f"groups must be a label from 0 for each of the {x.shape[1]} columns")
    return x, base, labels


def _of_network(
    network: Network, x: Array, method: str, base: Array, labels: Rows, output: int | Rows, n_steps: int
) -> Array:
    """Attributions of a network, a block of rows after the other."""
    width = max(w.shape[1] for w in network.weights)
    size = max(1, MOST_CELLS // max(width, x.shape[1]))
    parts = []
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        own = output if isinstance(output, int) else output[rows]
        if method == "ablation":
            parts.append(network.ablation(x[rows], base, labels, own))
            continue
        if method == "saliency":
            found = network.gradient(x[rows], own)
        elif method == "deeplift":
            found = network.deeplift(x[rows], base, own)
        else:
            found = network.integrated_gradients(x[rows], base, own, n_steps)
        parts.append(_of_groups(found, labels, signed=method != "saliency"))
    return np.concatenate(parts)


def _of_groups(values: Array, labels: Rows, signed: bool) -> Array:
    """Sums over the columns of each label, of absolute values where signs have no common unit."""
    if np.array_equal(labels, np.arange(len(labels))):
        return values
    indicator = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    return np.asarray((values if signed else np.abs(values)) @ indicator)


def _ablated(model: Any, x: Array, base: Array, labels: Rows, output: int | Rows) -> Array:
    full = pick(model_outputs(model, x), output)
    out = np.empty((len(x), labels.max() + 1))
    for group in range(out.shape[1]):
        without = np.where(labels == group, base, x)
        out[:, group] = full - pick(model_outputs(model, without), output)
    return out


def _permuted(model: Any, x: Array, labels: Rows, output: int | Rows, rng: np.random.Generator) -> Array:
    full = pick(model_outputs(model, x), output)
    out = np.empty((len(x), labels.max() + 1))
    for group in range(out.shape[1]):
        other = np.where(labels == group, x[rng.permutation(len(x))], x)
        out[:, group] = full - pick(model_outputs(model, other), output)
    return out
