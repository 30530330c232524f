"""The phantom of s361: nodules where they are said to lie."""

import numpy as np

from covey.studies.measure.nodule import lung


def test_malignant_nodules_lie_on_airways_and_no_two_meet():
    lesions, structures, malignant = lung(np.random.default_rng(0), 30)
    labels, sizes = np.unique(lesions[lesions > 0], return_counts=True)
    assert labels.tolist() == list(range(1, 31))
    assert set(sizes.tolist()) == {33, 123}
    on_airway = np.array([structures["airway"][lesions == label].any() for label in labels])
    assert on_airway[malignant == 1].mean() > 0.8 > on_airway[malignant == 0].mean()
