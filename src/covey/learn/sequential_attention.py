"""Features chosen one after another while one network trains, by attention over those not yet chosen; needs torch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor, nn

from covey.learn.deep_cca import descend, perceptron
from covey.learn.mi_bounds import paired_batches
from covey.measure import AssociationMatrix
from covey.select import RankingSelector, Scores
from covey.select._base import Array, Cut, TargetKind, numeric_block
from covey.select.omp import pursue, unit_columns
from covey.table import Column, FeatureTable

SPREAD = 1e-5  # standard deviation of fresh logits


class SequentialAttentionMask(nn.Module):
    """Weights of features of which ever more are chosen for good as training goes on.

    Chosen features have weight 1, the others share a weight of 1 by the softmax of trained logits. The training is
    divided into phases of equal length; at the end of each the features with the largest weights are chosen and the
    logits start afresh.

    Parameters
    ----------
    n_features : int
    k : int
        How many features to choose, 1..n_features.
    k_step : int
        How many of them at the end of each phase.
    start : float
        Share of the training before the first phase, in [0, 1), in which all weights are 1.
    generator : torch.Generator, optional
        Draws fresh logits; seeded with 0 by default.

    Attributes
    ----------
    logits : nn.Parameter of shape (n_features,)
    selected : Tensor of shape (n_features,), bool
    order : list of int
        The chosen features, first one first.
    history : list of Tensor of shape (n_features,)
        The logits at each choice; NaN for features chosen before.

    References
    ----------
    Yasuda, Bateni, Chen, Fahrbach, Fu and Mirrokni (2022), Sequential Attention for Feature Selection.
    arXiv:2209.14881.

    Examples
    --------
    >>> mask = SequentialAttentionMask(4, k=2)
    >>> mask(0.0).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> with torch.no_grad():
    ...     mask.logits[2] = 5.0
    >>> weights = mask(0.6)  # past the middle of the phases, one feature is chosen
    >>> mask.order, weights[2].item(), round(weights.sum().item(), 4)
    ([2], 1.0, 2.0)
    """

    selected: Tensor

    def __init__(
        self,
        n_features: int,
        k: int,
        k_step: int = 1,
        start: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= k <= n_features:
            raise ValueError(f"k must lie in 1..n_features = {n_features}, got {k}")
        if k_step < 1:
            raise ValueError(f"k_step must be at least 1, got {k_step}")
        if not 0.0 <= start < 1.0:
            raise ValueError(f"start must lie in 0..1, below 1; got {start}")
        self.k, self.k_step, self.start = k, k_step, start
        self.generator = generator or torch.Generator().manual_seed(0)
        self.logits = nn.Parameter(SPREAD * torch.randn(n_features, generator=self.generator))
        self.register_buffer("selected", torch.zeros(n_features, dtype=torch.bool))
        self.order: list[int] = []
        self.history: list[Tensor] = []

    @property
    def n_phases(self) -> int:
        """How often features are chosen."""
        return -(-self.k // self.k_step)

    def forward(self, progress: float) -> Tensor:
        """Weights at a point of the training; chooses what is due there.

        Parameters
        ----------
        progress : float
            Share of the training that is done, 0..1, not falling from call to call.

        Returns
        -------
        Tensor of shape (n_features,)
        """
        if not 0.0 <= progress <= 1.0:
            raise ValueError(f"progress must lie in 0..1, got {progress}")
        if progress < self.start:
            return torch.ones_like(self.logits)
        passed = int((progress - self.start) / (1.0 - self.start) * self.n_phases + 1e-9)
        self._choose(min(self.k, passed * self.k_step) - len(self.order))
        chosen = self.selected.to(self.logits.dtype)
        return chosen + self.attention() if len(self.order) < self.k else chosen

    def attention(self) -> Tensor:
        """Softmax of the logits over the features that are not chosen, 0 for those that are."""
        return torch.softmax(self.logits.masked_fill(self.selected, -torch.inf), dim=0)

    @torch.no_grad()
    def _choose(self, n_due: int) -> None:
        if n_due < 1:
            return
        self.history.append(self.logits.detach().masked_fill(self.selected, torch.nan))
        best = torch.argsort(self.attention(), descending=True, stable=True)[:n_due]
        self.order.extend(best.tolist())
        self.selected[best] = True
        self.logits.copy_(SPREAD * torch.randn(len(self.logits), generator=self.generator))


class SequentialAttentionSelector(RankingSelector):
    """Select columns by sequential attention: one training run in the manner of greedy forward selection.

    A network sees the columns weighted by a `SequentialAttentionMask`; when training ends, `k` are chosen. Columns
    are standardised first. For a linear model and squared error the method is orthogonal matching pursuit, which is
    then used in its place.

    Parameters
    ----------
    k : int or float
        How many columns to choose, or a share of them; of the linear model also ``"elbow"`` and ``"all"``.
    estimator : {"mlp", "linear"}
        A network with rectifiers, or `covey.select.OMPSelector`, which needs none of the parameters below.
    k_step : int
        How many columns to choose at once.
    start : float
        Share of the training before the first phase, in [0, 1), in which the network sees all columns.
    hidden : tuple of int
        Units of the hidden layers.
    n_steps : int
        Batches to train on.
    batch_size : int
    learning_rate : float
        Of AdamW; falls linearly to 0.
    weight_decay : float
        Of AdamW. Without it the network's weights make up for small weights of the mask, and nothing drives the
        attention any more once the fit is good.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes. Numbers are predicted by
        squared error, classes by cross-entropy.
    random_state : int, RandomState or None

    Attributes
    ----------
    selection_order_ : ndarray of shape (n_selected,), int64
        The chosen columns, first one first.
    logits_history_ : ndarray of shape (n_phases, n_features_in_)
        Logits at each choice; NaN for columns chosen before and for those that do not vary. Not of the linear model.
    scores_ : ndarray of shape (n_features_in_,)
        1 for the column chosen first, falling by ``1 / k`` from each to the next; of the linear model the share of the
        target that a column explained. NaN for columns not chosen.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        The order of choice, then the other columns by their logits at the last choice.

    Raises
    ------
    ValueError
        If `X` has missing values or categories, a parameter is out of range, or training diverges.

    References
    ----------
    Yasuda, Bateni, Chen, Fahrbach, Fu and Mirrokni (2022), Sequential Attention for Feature Selection.
    arXiv:2209.14881.

    Examples
    --------
    A product of two columns, which no linear model sees:

    >>> x = np.random.default_rng(0).normal(size=(1000, 10))
    >>> selector = SequentialAttentionSelector(k=2, n_steps=600, learning_rate=0.01, random_state=0)
    >>> sorted(selector.fit(x, x[:, 3] * x[:, 6]).selection_order_.tolist())
    [3, 6]
    """

    _mixed, _missing = False, False
    threshold = None

    def __init__(
        self,
        k: Cut = 10,
        estimator: Literal["mlp", "linear"] = "mlp",
        k_step: int = 1,
        start: float = 0.1,
        hidden: tuple[int, ...] = (67,),
        n_steps: int = 3000,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        target_kind: TargetKind = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.k = k
        self.estimator = estimator
        self.k_step = k_step
        self.start = start
        self.hidden = hidden
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.target_kind = target_kind
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, association: AssociationMatrix | None = None) -> SequentialAttentionSelector:
        """Choose columns; parameters as for `covey.select.RankingSelector.fit`."""
        self.__dict__.pop("logits_history_", None)  # of an earlier fit, which the linear model does not replace
        super().fit(X, y, association)
        self.selection_order_ = np.argsort(self.ranking_)[: self._n_selected]
        return self

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        if self.estimator == "linear":
            return pursue(table, target, table.n_columns if isinstance(self.k, str | float) else int(self.k))
        k = max(1, int(self.k * table.n_columns + 1e-9)) if isinstance(self.k, float) else int(self.k)
        mask = self._trained(table, target, min(k, table.n_columns))
        self._history = torch.stack(mask.history).double().numpy()
        return _scores_of(mask)

    def _trained(self, table: FeatureTable, target: Column, k: int) -> SequentialAttentionMask:
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        x = torch.as_tensor(np.sqrt(table.n_rows) * unit_columns(numeric_block(table)), dtype=torch.float32)
        y, n_outputs, loss = _task(target)
        mask = SequentialAttentionMask(table.n_columns, k, self.k_step, self.start, generator)
        if self.n_steps < mask.n_phases / (1.0 - self.start):
            raise ValueError(
                f"n_steps={self.n_steps} leaves a phase without a step; raise it to "
                f"{int(np.ceil(mask.n_phases / (1.0 - self.start)))} or more, or raise k_step"
            )
        network = perceptron([table.n_columns, *self.hidden, n_outputs], generator)
        steps = iter(range(self.n_steps))

        def loss_of(batch: list[Tensor]) -> Tensor:
            rows, wanted = batch
            return loss(network(rows * mask(next(steps) / self.n_steps)), wanted)

        batches = paired_batches([x, y], self.batch_size, self.n_steps, generator)
        descend([mask, network], batches, loss_of, self.n_steps, self.learning_rate, self.weight_decay)
        mask(1.0)
        return mask

    def _keep(self, found: Scores, usable: Any, reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        if self.estimator == "mlp" and len(usable):
            self.logits_history_ = np.full((len(self._history), len(reasons)), np.nan)
            self.logits_history_[:, usable] = self._history
            del self._history

    def _check_cut(self) -> None:
        super()._check_cut()
        if self.estimator not in ("mlp", "linear"):
            raise ValueError(f"estimator must be 'mlp' or 'linear', not {self.estimator!r}")
        if self.estimator == "mlp" and isinstance(self.k, str):
            raise ValueError(f"k={self.k!r} needs estimator='linear'; give a number of columns or a share")
        for name in ("n_steps", "batch_size", "k_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def _cut(self, names: Any) -> int:
        if self.estimator == "mlp" and isinstance(self.k, float):  # all that were chosen are that share
            return int(np.count_nonzero(~np.isnan(self.scores_)))
        return super()._cut(names)


def _task(target: Column) -> tuple[Tensor, int, nn.Module]:
    """What to predict, the number of outputs, and the loss."""
    if target.is_coded:
        labels, codes = np.unique(target.values, return_inverse=True)
        return torch.as_tensor(codes), len(labels), nn.CrossEntropyLoss()
    z = np.sqrt(len(target.values)) * unit_columns(target.values.astype(np.float64)[:, None])
    return torch.as_tensor(z, dtype=torch.float32), 1, nn.MSELoss()


def _scores_of(mask: SequentialAttentionMask) -> Scores:
    order = np.array(mask.order)
    values = np.full(len(mask.logits), np.nan)
    values[order] = 1.0 - np.arange(len(order)) / mask.k
    last = mask.history[-1].double().numpy().copy()
    last[order] = -np.inf
    others = np.argsort(-last, kind="stable")[: len(values) - len(order)]
    why = "not reached: enough columns were taken before it"
    return Scores(values, tuple("" if v == v else why for v in values), (*mask.order, *others.tolist()))
