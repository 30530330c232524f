"""The table of engineered features and its picture."""

import numpy as np
import pytest

from covey.studies.generate.engineered_features import engineered_heatmap, study_engineered_features


def test_every_cell_is_there_and_the_factor_is_theirs():
    table = study_engineered_features(["power", "ratio"], ["forest", "network"], 120, seeds=[0])
    assert table.n_rows == 2 * 2 * 2
    assert table["factor"].values == pytest.approx(table["without"].values / table["with"].values)
    again = study_engineered_features(["power", "ratio"], ["forest", "network"], 120, seeds=[0])
    assert (again["without"].values == table["without"].values).all()


def test_the_heat_map_has_the_means():
    table = study_engineered_features(["power"], ["forest"], 120, ranges=[(0.0, 1.0)], seeds=[0, 1])
    figure = engineered_heatmap(table, "factor")
    assert figure.data[0].z == pytest.approx(np.full((1, 1), table["factor"].values.mean()))
    assert list(figure.data[0].x) == ["forest"] and list(figure.data[0].y) == ["power"]


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="no model"):
        study_engineered_features(["power"], ["oracle"])
    with pytest.raises(ValueError, match="formula must be one of"):
        study_engineered_features(["magic"], ["forest"])
