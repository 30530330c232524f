"""The parts of the study of stochastic CCA that its claims stand on."""

import numpy as np
import pytest

from covey.learn.multiview import MultiviewCCA
from covey.studies.learn.eckart_young import ill_conditioned, joint


def test_designs_are_the_ones_that_the_note_states():
    rng = np.random.default_rng(0)
    exact = MultiviewCCA(5).fit(ill_conditioned(rng)).correlations_
    assert exact[:4] == pytest.approx(np.linspace(0.9, 0.5, 4), abs=0.03)
    assert exact[4] < 0.25
    view = ill_conditioned(rng)[0]
    spread = np.linalg.eigvalsh(np.cov(view, rowvar=False))
    assert spread[-1] / spread[0] == pytest.approx(100, rel=0.3)
    assert MultiviewCCA(4).fit(joint(rng)).correlations_.min() > 0.95
