"""Loans with the columns of the German credit data set (Hofmann 1994), MADE UP: the real ones need a download.

Codes of categories are ordered from worse to better. Whether a loan is good is drawn with a probability that grows with
savings, employment and status and falls with amount and duration: all that these rows have in common with the real
ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LOAN = {"amount": (250, 18_424), "months": (4, 72)}
APPLICANT = {
    "status": (0, 3),
    "history": (0, 4),
    "purpose": (0, 9),
    "savings": (0, 4),
    "employment": (0, 4),
    "installment_rate": (1, 4),
    "personal_status": (0, 3),
    "other_debtors": (0, 2),
    "residence_since": (1, 4),
    "property": (0, 3),
    "age": (19, 75),
    "other_installments": (0, 2),
    "housing": (0, 2),
    "existing_credits": (1, 4),
    "job": (0, 3),
    "dependents": (1, 2),
    "telephone": (0, 1),
    "foreign_worker": (0, 1),
}
WEIGHTS = {"amount": -1.2, "months": -1.0, "status": 1.4, "history": 0.9, "savings": 0.8, "employment": 0.6}


def loans(count: int, seed: int = 1994) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.int64]]:
    """``loan`` (count, 2) and ``applicant`` (count, 18), and which are good."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(lo, hi + 1, count) for name, (lo, hi) in {**LOAN, **APPLICANT}.items()}
    ends = {**LOAN, **APPLICANT}
    score = sum(w * (columns[n] - ends[n][0]) / (ends[n][1] - ends[n][0]) * 3 for n, w in WEIGHTS.items())
    good = (rng.random(count) < 1 / (1 + np.exp(-np.asarray(score)))).astype(np.int64)
    parts = {"loan": LOAN, "applicant": APPLICANT}
    return {k: np.stack([columns[n] for n in part], axis=1).astype(np.float32) for k, part in parts.items()}, good


def train(data: dict[str, npt.NDArray[np.float32]], good: npt.NDArray[np.int64]) -> Any:
    """A logistic regression of scikit-learn on all 20 columns, as ONNX with the inputs ``loan`` and ``applicant``."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = np.concatenate([data["loan"], data["applicant"]], axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(columns, good)
    inputs = [(name, FloatTensorType([None, part.shape[1]])) for name, part in data.items()]
    return to_onnx(model, initial_types=inputs, options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
