"""What `import covey` must not cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("dask", "distributed", "numba", "pandas", "plotly", "polars", "scipy.stats", "sklearn", "torch")


def loaded_after(statements: str) -> set[str]:
    code = f"{statements}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("statements", ["import covey", "import covey.cli", "from covey import associate, read"])
def test_imports_are_light(statements):
    loaded = loaded_after(statements)
    assert "covey" in loaded
    assert not loaded & set(HEAVY)


def test_lazy_names():
    import covey

    assert set(covey.__all__) <= set(dir(covey))
    for name in covey.__all__:
        assert getattr(covey, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'asociate'"):
        covey.asociate  # noqa: B018
