"""The parts of the study of graph matching that its claims stand on."""

import numpy as np
import pytest

from covey.studies.structure.graph_matching import graphs_of, share_right


def test_share_counts_nodes_that_are_matched_with_themselves():
    graphs = graphs_of(np.random.SeedSequence(0), 0.9, n_nodes=60)
    assert share_right(graphs.permutation, graphs) == 1.0
    half = graphs.permutation.copy()
    half[:30] = np.roll(half[:30], 1)
    assert share_right(half, graphs) == 0.5


def test_the_design_is_the_one_that_the_note_states():
    graphs = graphs_of(np.random.SeedSequence(0), 0.9)
    same = graphs.labels[:, None] == graphs.labels
    assert np.bincount(graphs.labels).tolist() == [200, 200, 200]
    assert graphs.first[same].mean() == pytest.approx(0.5, abs=0.02)
    assert graphs.first[~same].mean() == pytest.approx(0.2, abs=0.02)
