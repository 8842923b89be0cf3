"""Estimators for scikit-learn: tsfresh's four transformers, and one for collections of arrays.

``FeatureAugmenter`` and ``RelevantFeatureAugmenter`` add features of a container of time series to
the rows of X, ``FeatureSelector`` keeps the relevant columns, ``PerColumnImputer`` fills cells that
are not finite, and ``FeatureExtractor`` takes the series themselves as X. The numbers come from
``frames`` and ``selection``; here is only what scikit-learn expects of an estimator: parameters,
names, fitted state and metadata. Nothing below may import this room.
"""

from __future__ import annotations

from tidemill.bridges.extras import of_extra

with of_extra("sklearn", "tidemill.sklearn"):
    import sklearn  # noqa: F401

from tidemill.sklearn.feature_augmenter import FeatureAugmenter
from tidemill.sklearn.feature_extractor import FeatureExtractor
from tidemill.sklearn.feature_selector import FeatureSelector
from tidemill.sklearn.per_column_imputer import PerColumnImputer
from tidemill.sklearn.relevant_feature_augmenter import RelevantFeatureAugmenter

__all__ = [
    "FeatureAugmenter",
    "FeatureExtractor",
    "FeatureSelector",
    "PerColumnImputer",
    "RelevantFeatureAugmenter",
]
