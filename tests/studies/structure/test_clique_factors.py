"""The parts of the study of clique factors that its claims stand on."""

import numpy as np
import pytest

from covey.studies.structure.clique_factors import pattern_f1, planted


def test_f1_matches_factors_whatever_their_order():
    pattern = np.eye(4, dtype=bool)[:, :2] | np.eye(4, dtype=bool)[:, 2:]
    assert pattern_f1(pattern[:, ::-1], pattern) == 1.0
    assert pattern_f1(pattern[:, :1], pattern) == pytest.approx(2 * 2 / (2 + 4))
    assert pattern_f1(np.ones((4, 1), dtype=bool), pattern) == pytest.approx(2 * 2 / (4 + 4))


def test_the_planted_design_is_the_one_that_the_note_states():
    x, pattern = planted(np.random.SeedSequence(0), n_factors=6, n_samples=20_000, correlation=0.3)
    assert x.shape == (20_000, 60)
    alone = pattern.sum(axis=1) == 1
    assert pattern[alone].sum(axis=0).tolist() == [8] * 6
    assert pattern[~alone].sum(axis=0).tolist() == [4] * 6
    assert x[:, alone].var(axis=0) == pytest.approx(np.ones(48), abs=0.06)
    between = np.corrcoef(x[:, 0], x[:, 8])[0, 1]
    assert 0.3 * 0.6**2 - 0.03 < between < 0.3 * 0.9**2 + 0.03
