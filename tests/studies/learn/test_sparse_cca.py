"""The parts of the study of sparse CCA that its claims stand on."""

import numpy as np
import pytest

from covey.studies.learn.sparse_cca import N_COLUMNS, f1, planted


def test_f1_of_sets_of_columns():
    true = np.array([True, True, False, False])
    assert f1(true, true) == 1.0
    assert f1(~true, true) == 0.0
    assert f1(np.array([True, False, False, False]), true) == pytest.approx(2 / 3)


def test_the_planted_design_is_the_one_that_the_note_states():
    views, supports = planted(np.random.default_rng(0), 0.5)
    for view, support in zip(views, supports):
        assert view.shape == (1500, N_COLUMNS)
        assert support.sum() == 60
        assert view[:, support].var(axis=0) == pytest.approx(np.full(60, 1.5), abs=0.3)
        assert view[:, ~support].var(axis=0).mean() == pytest.approx(1.0, abs=0.02)
    between = np.abs(np.corrcoef(views[0][:, supports[0]], views[1][:, supports[1]], rowvar=False)[:60, 60:])
    assert (between > 0.2).sum() == 3 * 20 * 20
