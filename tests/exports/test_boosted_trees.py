"""Fresh exports of XGBoost, LightGBM and CatBoost (the extra ``exports``; what is not installed is skipped)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.exports.agreement import FEATURES, HELD_OUT, TRAINED, answers, compiled, labels_agree, numbers_agree
from tests.helpers.onnx_models import Array

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
datasets = pytest.importorskip("sklearn.datasets")

Data = tuple[Array, Array]
SIZE: dict[str, Any] = {"n_estimators": 6, "max_depth": 4}


def drawn(kind: str) -> Data:
    """Classes, truth values, numbers, counts; with holes (``.. of holes``), with categories."""
    rng, rows = np.random.default_rng(0), TRAINED + HELD_OUT
    what, _, more = kind.partition(" of ")
    if what in ("classes", "truth"):
        x, y = datasets.make_classification(
            rows, FEATURES, n_informative=5, n_classes=3 if what == "classes" else 2, random_state=1
        )
    else:
        x, y = datasets.make_regression(rows, FEATURES, n_informative=5, random_state=1)
        y = rng.poisson(np.exp(y / 200)).astype(float) if what == "counts" else y / 50
    x = x.astype(np.float32)
    if more == "categories":
        x[:, :2] = rng.integers(0, 8, (rows, 2))
        y = ((x[:, 0] % 2 == 0) ^ (x[:, 2] > 0)).astype(int)
    if more == "holes":
        x[rng.random(x.shape) < 0.15] = np.nan
    return x, y


def fitted(model: Any, data: Data, **more: Any) -> Any:
    return model.fit(data[0][:TRAINED], data[1][:TRAINED], **more)


def agrees(model: Any, proto: onnx.ModelProto, x: Array) -> None:
    """Labels and probabilities, or numbers, on rows that were held out."""
    found, held_out = answers(compiled(proto, x[:TRAINED]), x[TRAINED:]), x[TRAINED:]
    if hasattr(model, "predict_proba"):
        labels_agree(found[0], np.ravel(model.predict(held_out)))
        numbers_agree(found[1], model.predict_proba(held_out))
    else:
        numbers_agree(found[0], model.predict(held_out))


# Not here: what exporters write otherwise than their libraries answer (XGBRFClassifier, multi:softmax, multiclassova),
# where onnxruntime differs from these as well.
XGBOOST: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classes": ("XGBClassifier", "classes", {}),
    "two classes": ("XGBClassifier", "truth", {}),
    "numbers": ("XGBRegressor", "numbers", {}),
    "a base": ("XGBRegressor", "numbers", {"base_score": 0.7}),
    "counts": ("XGBRegressor", "counts", {"objective": "count:poisson"}),
    "tweedie": ("XGBRegressor", "counts", {"objective": "reg:tweedie"}),
    "absolute": ("XGBRegressor", "numbers", {"objective": "reg:absoluteerror"}),
    "forest of numbers": ("XGBRFRegressor", "numbers", {}),
    "leaves": ("XGBClassifier", "classes", {"grow_policy": "lossguide", "max_leaves": 12}),
    "holes": ("XGBClassifier", "classes of holes", {}),
    "two classes, holes": ("XGBClassifier", "truth of holes", {}),
    "numbers, holes": ("XGBRegressor", "numbers of holes", {}),
    "categories": (
        "XGBClassifier",
        "truth of categories",
        {"enable_categorical": True, "feature_types": ["c", "c"] + ["q"] * 6, "max_cat_to_onehot": 9},
    ),
}


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost(name: str) -> None:
    xgboost, onnxmltools = pytest.importorskip("xgboost"), pytest.importorskip("onnxmltools")
    kind, data, given = XGBOOST[name]
    x, y = drawn(data)
    model = fitted(getattr(xgboost, kind)(**SIZE, **given), (x, y))
    tensor = onnxmltools.convert.common.data_types.FloatTensorType([None, FEATURES])
    agrees(model, onnxmltools.convert_xgboost(model, initial_types=[("x", tensor)]), x)


LIGHTGBM: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classes": ("LGBMClassifier", "classes", {}),
    "two classes": ("LGBMClassifier", "truth", {}),
    "numbers": ("LGBMRegressor", "numbers", {}),
    "counts": ("LGBMRegressor", "counts", {"objective": "poisson"}),
    "tweedie": ("LGBMRegressor", "counts", {"objective": "tweedie"}),
    "quantile": ("LGBMRegressor", "numbers", {"objective": "quantile"}),
    "dart": ("LGBMRegressor", "numbers", {"boosting_type": "dart"}),
    "goss": ("LGBMClassifier", "truth", {"data_sample_strategy": "goss"}),
    "ranks": ("LGBMRanker", "counts", {}),
    "holes": ("LGBMClassifier", "classes of holes", {}),
    "numbers, holes": ("LGBMRegressor", "numbers of holes", {}),
    "categories": ("LGBMClassifier", "truth of categories", {"categorical_feature": [0, 1]}),
}


@pytest.mark.parametrize("name", LIGHTGBM)
def test_lightgbm(name: str) -> None:
    lightgbm, onnxmltools = pytest.importorskip("lightgbm"), pytest.importorskip("onnxmltools")
    kind, data, given = LIGHTGBM[name]
    x, y = drawn(data)
    groups = {"group": [25] * (TRAINED // 25)} if kind == "LGBMRanker" else {}
    model = fitted(getattr(lightgbm, kind)(n_estimators=6, verbose=-1, **given), (x, y), **groups)
    tensor = onnxmltools.convert.common.data_types.FloatTensorType([None, FEATURES])
    agrees(model, onnxmltools.convert_lightgbm(model, initial_types=[("x", tensor)], zipmap=False), x)


CATBOOST: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classes": ("CatBoostClassifier", "classes", {}),
    "two classes": ("CatBoostClassifier", "truth", {}),
    "numbers": ("CatBoostRegressor", "numbers", {}),
    "holes": ("CatBoostClassifier", "classes of holes", {}),
    "numbers, holes": ("CatBoostRegressor", "numbers of holes", {}),
}


@pytest.mark.parametrize("name", CATBOOST)
def test_catboost(name: str, tmp_path: Path) -> None:
    catboost = pytest.importorskip("catboost")
    kind, data, given = CATBOOST[name]
    x, y = drawn(data)
    size = {"iterations": 6, "depth": 4, "verbose": 0, "allow_writing_files": False}
    model = fitted(getattr(catboost, kind)(**size, **given), (x, y))
    model.save_model(str(tmp_path / "model.onnx"), format="onnx")
    agrees(model, onnx.load(tmp_path / "model.onnx"), x)
