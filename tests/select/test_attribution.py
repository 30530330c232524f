"""Attributions of networks against numerical derivatives, sums, exact cases, and a peer where there is one."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC

from covey.select._attribution import METHODS, Network, attribute_columns, model_outputs

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

GRADIENTS = ["integrated_gradients", "saliency", "deeplift"]


def data(n=120, d=6, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x, np.sin(x[:, 0]) + x[:, 1] * x[:, 2]


def network(activation="tanh", sizes=(8, 5), kind="number"):
    x, y = data()
    if kind == "number":
        return MLPRegressor(
            hidden_layer_sizes=sizes, activation=activation, max_iter=300, random_state=0, solver="lbfgs"
        ).fit(x, y), x
    labels = np.digitize(y, [0.0] if kind == "two" else [-0.5, 0.5])
    return MLPClassifier(
        hidden_layer_sizes=sizes, activation=activation, max_iter=300, random_state=0, solver="lbfgs"
    ).fit(x, labels), x


def logits(model, x):
    return Network.of(model).outputs(x)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("sizes", [(8,), (8, 5), (7, 6, 5)])
def test_outputs_are_those_of_scikit_learn(activation, sizes):
    model, x = network(activation, sizes)
    assert logits(model, x)[:, 0] == pytest.approx(model.predict(x))
    model, x = network(activation, sizes, "two")
    assert expit(logits(model, x)[:, 0]) == pytest.approx(model.predict_proba(x)[:, 1])
    model, x = network(activation, sizes, "three")
    share = np.exp(logits(model, x) - logits(model, x).max(axis=1, keepdims=True))
    assert share / share.sum(axis=1, keepdims=True) == pytest.approx(model.predict_proba(x))


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("kind", ["number", "three"])
def test_saliency_is_the_derivative(activation, kind):
    model, x = network(activation, kind=kind)
    output = 0 if kind == "number" else 2
    found = attribute_columns(model, x, "saliency", output=output)
    for j in range(x.shape[1]):
        step = np.zeros(x.shape[1])
        step[j] = 1e-6
        expected = (logits(model, x + step) - logits(model, x - step))[:, output] / 2e-6
        same = np.isclose(found[:, j], expected, atol=1e-5 * max(1.0, np.abs(expected).max()))
        assert same.mean() > (0.95 if activation == "relu" else 0.999)  # a step may cross a kink


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
def test_attributions_add_up_to_the_difference_from_the_baseline(activation, method):
    model, x = network(activation)
    base = np.linspace(-0.5, 0.5, x.shape[1])
    found = attribute_columns(model, x, method, base, n_steps=400).sum(axis=1)
    assert found == pytest.approx(logits(model, x)[:, 0] - logits(model, base[None])[0, 0], abs=1e-6)


def test_deeplift_adds_up_and_integrated_gradients_nearly_for_rectified_units():
    model, x = network("relu")
    difference = logits(model, x)[:, 0] - logits(model, np.zeros((1, 6)))[0, 0]
    assert attribute_columns(model, x, "deeplift").sum(axis=1) == pytest.approx(difference, abs=1e-9)
    gap = np.abs(attribute_columns(model, x, n_steps=64).sum(axis=1) - difference)
    assert gap.max() < 0.1 * np.abs(difference).max()


def test_integrated_gradients_are_the_mean_of_gradients_on_the_way():
    model, x = network("tanh")
    nodes, weights = np.polynomial.legendre.leggauss(9)
    mean = sum(w / 2 * Network.of(model).gradient(x * (t + 1) / 2) for t, w in zip(nodes, weights))
    assert attribute_columns(model, x, n_steps=9) == pytest.approx(x * mean)


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "ablation"])
def test_a_network_without_hidden_layer_is_linear(method):
    model, x = network("relu", ())
    weight = model.coefs_[0][:, 0]
    assert attribute_columns(model, x, "saliency") == pytest.approx(np.tile(weight, (len(x), 1)))
    assert attribute_columns(model, x, method) == pytest.approx(x * weight)


def test_ablation_of_a_network_is_that_of_any_model():
    model, x = network("relu")
    base = np.arange(6) / 10
    found = attribute_columns(model, x, "ablation", base, groups=[0, 0, 1, 2, 2, 3])
    assert found.shape == (120, 4)
    assert found == pytest.approx(attribute_columns(model.predict, x, "ablation", base, groups=[0, 0, 1, 2, 2, 3]))


def test_the_largest_output_of_each_row_is_explained():
    model, x = network("tanh", kind="three")
    found = attribute_columns(model, x, "integrated_gradients")
    each = np.stack([attribute_columns(model, x, "integrated_gradients", output=k) for k in range(3)])
    largest = logits(model, x).argmax(axis=1)
    assert found == pytest.approx(each[largest, np.arange(len(x))])


def test_groups_add_up_and_of_gradients_their_size():
    model, x = network("tanh")
    labels = np.array([0, 1, 1, 0, 2, 2])
    for method in GRADIENTS:
        found, alone = attribute_columns(model, x, method, groups=labels), attribute_columns(model, x, method)
        alone = np.abs(alone) if method == "saliency" else alone
        assert found == pytest.approx(np.stack([alone[:, labels == g].sum(axis=1) for g in range(3)], axis=1))


def test_blocks_of_rows_do_not_matter(monkeypatch):
    model, x = network("relu", kind="three")
    whole = [attribute_columns(model, x, method) for method in METHODS]
    monkeypatch.setattr("covey.select._attribution.MOST_CELLS", 100)
    for method, expected in zip(METHODS, whole):
        assert attribute_columns(model, x, method) == pytest.approx(expected)


def test_permutation_is_the_fall_with_the_column_of_another_row():
    x, y = data()
    model = LinearRegression().fit(x, y)
    rng = np.random.default_rng(3)
    expected = np.stack([(x - x[rng.permutation(len(x))])[:, j] * model.coef_[j] for j in range(6)], axis=1)
    assert attribute_columns(model, x, "permutation", random_state=3) == pytest.approx(expected)


def test_other_models():
    x, y = data()
    forest = RandomForestRegressor(10, random_state=0).fit(x, y)
    without = x.copy()
    without[:, 2] = 0.0
    assert attribute_columns(forest, x, "ablation")[:, 2] == pytest.approx(forest.predict(x) - forest.predict(without))
    labels = y > 0
    assert model_outputs(LogisticRegression().fit(x, labels), x).shape == (120, 1)
    assert model_outputs(LogisticRegression().fit(x, np.digitize(y, [-0.5, 0.5])), x).shape == (120, 3)
    assert model_outputs(SVC().fit(x, labels), x)[:, 0] == pytest.approx(SVC().fit(x, labels).decision_function(x))
    with pytest.raises(TypeError, match="be a function"):
        model_outputs(object(), x)


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradients_need_a_network(method):
    x, y = data()
    with pytest.raises(ValueError, match="use 'ablation' or 'permutation'"):
        attribute_columns(LinearRegression().fit(x, y), x, method)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.zeros(6)}, "X must have shape"),
        ({"method": "shap"}, "method must be one of"),
        ({"baseline": np.zeros(5)}, "baseline has shape"),
        ({"groups": [0, 1]}, "groups must be a label"),
        ({"groups": [-1, 0, 0, 0, 0, 0]}, "groups must be a label"),
    ],
)
def test_wrong_arguments(arguments, message):
    model, x = network()
    with pytest.raises(ValueError, match=message):
        attribute_columns(model, **{"X": x} | arguments)


@pytest.mark.slow
def test_attributions_are_those_of_captum():
    captum, torch = pytest.importorskip("captum.attr"), pytest.importorskip("torch")
    model, x = network("tanh")
    layers = []
    for k, (w, b) in enumerate(zip(model.coefs_, model.intercepts_)):
        layer = torch.nn.Linear(*w.shape).double()
        layer.weight.data, layer.bias.data = torch.tensor(w.T), torch.tensor(b)
        layers += [layer] + ([torch.nn.Tanh()] if k + 1 < len(model.coefs_) else [])
    net, rows = torch.nn.Sequential(*layers), torch.tensor(x)
    for name, peer in (
        ("saliency", captum.Saliency),
        ("deeplift", captum.DeepLift),
        ("ablation", captum.FeatureAblation),
    ):
        options = {"abs": False} if name == "saliency" else {}
        expected = peer(net).attribute(rows, target=0, **options).detach().numpy()
        assert attribute_columns(model, x, name) == pytest.approx(expected, abs=1e-8)
    expected = captum.IntegratedGradients(net).attribute(rows, target=0, n_steps=32).detach().numpy()
    assert attribute_columns(model, x, n_steps=32) == pytest.approx(expected, abs=1e-8)
