"""The design of the study of network features: equal degrees, unequal triangles."""

import numpy as np
import pytest

from covey.structure.networks import cycle_map
from covey.studies.structure.connectome import BIPARTITE, CLIQUES, people


def test_both_modules_have_the_same_degrees_and_only_one_has_triangles():
    assert CLIQUES.sum(axis=1).tolist() == BIPARTITE.sum(axis=1).tolist() == [4.0] * 10
    assert cycle_map(CLIQUES).tolist() == [6] * 10
    assert cycle_map(BIPARTITE).tolist() == [0] * 10


def test_patients_differ_from_controls_in_three_modules_only():
    series, y = people(np.random.default_rng(0), n=60)
    assert series.shape == (60, 150, 100)
    mean = [np.mean([np.corrcoef(x, rowvar=False) for x in series[y == k]], axis=0) for k in (0, 1)]
    assert mean[0][:10, :10] == pytest.approx(np.eye(10) + 0.165 * CLIQUES, abs=0.06)
    assert mean[1][:10, :10] == pytest.approx(np.eye(10) + 0.165 * BIPARTITE, abs=0.06)
    other = np.s_[40:50, 40:50]
    assert mean[0][other] == pytest.approx(mean[1][other], abs=0.12)
