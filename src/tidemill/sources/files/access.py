"""Open one file of an input as it was planned, and name it in every error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from tidemill.errors import DataError, SourceChangedError, SourceError, printable
from tidemill.model.source import Source
from tidemill.sources.files.fingerprint import check_file_unchanged
from tidemill.storage.stores import Store

__all__ = ["check_row_count", "file_name", "located", "open_planned"]


def file_name(source: Source, index: int) -> str:
    """Full path or URL of an input file."""
    return f"{source.url}/{source.files[index].path}"


@contextmanager
def open_planned(source: Source, index: int) -> Iterator[pa.NativeFile]:
    """Open one input file; raise `SourceChangedError` if it is not, or no longer, as planned."""
    planned = source.files[index]
    store = Store.open(source.url, source.storage_options)
    try:
        file = store.open_input(planned.path)
    except FileNotFoundError as error:
        name = file_name(source, index)
        raise SourceChangedError(
            f"{name} no longer exists, but did when the run was planned"
        ) from error
    with file:
        check_file_unchanged(store, planned)
        try:
            yield file
        except (pa.ArrowException, OSError, SourceError, DataError):
            # Errors from a mix of two versions mean nothing for either version.
            check_file_unchanged(store, planned)
            raise


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put the name of the file before the message of errors raised while it is read."""
    try:
        yield
    except (SourceError, DataError) as error:
        if str(error).startswith(printable(where)):
            raise
        raise type(error)(f"{where}: {error}") from error
    except UnicodeEncodeError as error:
        raise SourceError(f"the name of {where} is no UTF-8; rename the file") from error
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{where} cannot be read ({error}); the file is damaged or incomplete: write it "
            "again, or remove it from the input"
        ) from error


def check_row_count(
    batches: Iterator[pa.RecordBatch], n_rows: int, name: str
) -> Iterator[pa.RecordBatch]:
    """Pass batches on, and check that they have ``n_rows`` rows in all."""
    read = 0
    for batch in batches:
        read += batch.num_rows
        yield batch
    if read != n_rows:
        raise SourceError(
            f"{name} gave {read} rows instead of {n_rows}; the file is damaged: write "
            "it again, or remove it from the input"
        )
