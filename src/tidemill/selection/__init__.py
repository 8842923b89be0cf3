"""Choose features that are related to a target, and what tsfresh's users do before and after.

In come a feature matrix and a target; out come p-values, a relevance table and the columns that
matter. Beside that: filling gaps in a matrix, rolling windows as frames, frames for forecasting.
All of it is in memory. Columns are tested in batches on threads (``evidence``), apart from the
table that is made of their p-values (``relevance``), so that a caller can bring columns from
anywhere.
"""

from tidemill.selection.containers import (
    check_for_nans_in_columns,
    get_ids,
    restrict_input_to_index,
)
from tidemill.selection.feature_types import get_feature_type
from tidemill.selection.forecasting import make_forecasting_frame
from tidemill.selection.impute import (
    get_range_values_per_column,
    impute,
    impute_dataframe_range,
    impute_dataframe_zero,
)
from tidemill.selection.relevance import calculate_relevance_table
from tidemill.selection.relevance_frame import combine_relevance_tables
from tidemill.selection.relevant import extract_relevant_features
from tidemill.selection.rolling import roll_time_series
from tidemill.selection.select import select_features
from tidemill.selection.significance_tests import (
    target_binary_feature_binary_test,
    target_binary_feature_real_test,
    target_real_feature_binary_test,
    target_real_feature_real_test,
)
from tidemill.selection.sub_series import add_sub_time_series_index
from tidemill.selection.targets import infer_ml_task

__all__ = [
    "add_sub_time_series_index",
    "calculate_relevance_table",
    "check_for_nans_in_columns",
    "combine_relevance_tables",
    "extract_relevant_features",
    "get_feature_type",
    "get_ids",
    "get_range_values_per_column",
    "impute",
    "impute_dataframe_range",
    "impute_dataframe_zero",
    "infer_ml_task",
    "make_forecasting_frame",
    "restrict_input_to_index",
    "roll_time_series",
    "select_features",
    "target_binary_feature_binary_test",
    "target_binary_feature_real_test",
    "target_real_feature_binary_test",
    "target_real_feature_real_test",
]
