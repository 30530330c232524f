"""The data and the baseline of the study of the rows' order."""

import numpy as np
import pytest

from covey.studies.audit.knn_order import _shuffling_left_out, autoregressive, binary, drift, normal


def test_generators_are_what_their_claims_say():
    many = [autoregressive(np.random.default_rng(k)) for k in range(20)]
    memory = [np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1] for x in many]
    assert np.mean(memory) == pytest.approx(0.5, abs=0.05)
    assert np.mean([x.var() for x in many]) == pytest.approx(1.0, abs=0.05)
    assert set(np.unique(binary(np.random.default_rng(0)))) == {0.0, 1.0}
    rise = drift(0.5)(np.random.default_rng(0)) - normal(np.random.default_rng(0))
    assert rise[-1] - rise[0] == pytest.approx(np.full(5, 0.5))


def test_the_baseline_is_fooled_by_ties_alone():
    assert _shuffling_left_out(binary(np.random.default_rng(0)), 0) == 0.005
    assert _shuffling_left_out(normal(np.random.default_rng(0)), 0) > 0.05
