"""The parts of the study of homophily that its claims stand on."""

import numpy as np
import pytest

from covey.structure.homophily import GraphSample
from covey.studies.structure.homophily import accuracy, sample


def test_accuracy_is_that_of_held_out_nodes():
    seed = np.random.SeedSequence(0)
    graph = sample(seed, 0.0)
    far = GraphSample(graph.X + 20.0 * graph.y[:, None], graph.y, graph.adjacency)
    assert accuracy(far.X, far, seed) == 1.0
    noise = np.random.default_rng(1).normal(size=graph.X.shape)
    assert accuracy(noise, graph, seed) == pytest.approx(0.5, abs=0.06)
