"""Prefect tasks: each wraps one function of the engine, under the name it has in the UI."""

from tidemill.orchestration.error_logs import shorten_errors
from tidemill.tasks.calculate_chunk_size import calculate_chunk_size
from tidemill.tasks.calculate_features import calculate_features
from tidemill.tasks.partition import partition
from tidemill.tasks.reduce import reduce

__all__ = ["calculate_chunk_size", "calculate_features", "partition", "reduce"]

shorten_errors()  # in every process that carries out a task
