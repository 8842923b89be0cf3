"""The union of the schemas of all files: which columns there are, and in which type they are read.

Columns go by name. Where the files agree on a type, the column has it. Where they differ, values
become float64, integers int64, and times nanoseconds (in UTC if they have a zone). What a file
lacks is missing. Text beside numbers in an id, kind or sort column is refused: no order holds both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import InputError, SourceError
from tidemill.model.source import ColumnRoles, Reading
from tidemill.sources.files.path_columns import Constants, type_of_text
from tidemill.sources.files.schema import input_columns, plain_type
from tidemill.sources.rows.casts import as_float64, check_kinds

__all__ = ["FileSchema", "Union", "all_columns", "unite"]

#: The type of times where files differ, or say nothing: naive, or in UTC.
NAIVE_TIME, UTC_TIME = pa.timestamp("ns"), pa.timestamp("ns", "UTC")

#: A type and the file that has it, for messages.
_Found = tuple[pa.DataType, str]


@dataclass(frozen=True, slots=True)
class FileSchema:
    """The columns of one file."""

    name: str  # path or URL, for messages
    schema: pa.Schema
    constants: Constants = ()


@dataclass(frozen=True, slots=True)
class Union:
    """What all files have together."""

    schema: pa.Schema  # of the used columns
    lacking: tuple[str, ...]  # value columns that some file lacks


def all_columns(files: Iterable[FileSchema], declared: pa.Schema) -> tuple[list[str], list[str]]:
    """Names of the columns in the files, in the order of their appearance, and of all constants.

    Examples
    --------
    >>> one = FileSchema("a", pa.schema({"id": pa.int64()}), (("site", "x"),))
    >>> two = FileSchema("b", pa.schema({"id": pa.int64(), "t": pa.float64()}))
    >>> all_columns([one, two], pa.schema([]))
    (['id', 't'], ['site'])
    """
    seen = list(files)
    constants = dict.fromkeys(name for one in seen for name, _ in one.constants)
    names = dict.fromkeys(name for name in declared.names if name not in constants)
    for one in seen:
        names.update(dict.fromkeys(one.schema.names))
    return list(names), [name for name in constants if name not in names]


def unite(
    files: Sequence[FileSchema],
    columns: ColumnRoles,
    reading: Reading,
    declared: pa.Schema,
    *,
    needs_times: bool = False,
    is_typed: bool = True,
) -> Union:
    """The type in which each used column is read, whichever file it is in.

    Parameters
    ----------
    files : the files; sort columns that are text, but times, with the type of these times
    columns : the roles of the columns
    reading : what the user said of times
    declared : columns with types that a table's log states
    needs_times : the sort column is to be times: dates are read as their midnight
    is_typed : the files state types; if they do not, ids that are integers in one file and text in
        another are text as it is written

    Raises
    ------
    SourceError
        If the types of a column do not fit its role or each other; the message names the files.
    """
    fields, lacking = [], []
    values = frozenset(columns.values)
    for name in input_columns(columns):
        found = _types(name, files, declared)
        if name in values:
            partial = _lacks(name, files)
            fields.append(pa.field(name, _value_type(name, found, is_partial=partial)))
            lacking += [name] if partial else []
            continue
        _check_everywhere(name, files)
        if name == columns.sort:
            found = [(_time_type(type_, reading, needs_times), file) for type_, file in found]
        is_sort = name == columns.sort
        type_ = _key_type(name, found, is_sort=is_sort) if is_typed or is_sort else _id_type(found)
        fields.append(pa.field(name, type_))
    schema = pa.schema(fields)
    _check_roles(schema, columns)
    return Union(schema, tuple(lacking))


def _types(name: str, files: Sequence[FileSchema], declared: pa.Schema) -> list[_Found]:
    """The types that a column has, each with the first file that has it."""
    found: dict[pa.DataType, str] = {}
    constants: dict[str | None, str] = {}
    for one in files:
        places = one.schema.get_all_field_indices(name)
        if len(places) > 1:
            raise SourceError(
                f"{one.name}: {len(places)} columns have the name {name!r}; rename all but one"
            )
        if places:
            found.setdefault(plain_type(one.schema.field(places[0]).type), one.name)
            continue
        for constant, value in one.constants:
            if constant == name:
                constants.setdefault(value, one.name)
    if constants:
        is_declared = name in declared.names
        type_ = plain_type(declared.field(name).type) if is_declared else type_of_text(constants)
        found.setdefault(type_, next(iter(constants.values())))
    return list(found.items())


def _id_type(found: Sequence[_Found]) -> pa.DataType:
    """The type of ids or kinds that files hold as text: integers only if all files say so."""
    known = [type_ for type_, _ in found if not pt.is_null(type_)]
    return pa.int64() if known and all(map(pt.is_integer, known)) else pa.string()


def _lacks(name: str, files: Sequence[FileSchema]) -> bool:
    return any(not _has(one, name) for one in files)


def _has(file: FileSchema, name: str) -> bool:
    # ``schema.names`` would list all columns, for each of them.
    is_column = bool(file.schema.get_all_field_indices(name))
    return is_column or any(name == constant for constant, _ in file.constants)


def _check_everywhere(name: str, files: Sequence[FileSchema]) -> None:
    without = [one.name for one in files if not _has(one, name)]
    if without:
        raise SourceError(
            f"{without[0]} has no column {name!r}, which other files have; every row needs its "
            "id, and its sort value and kind where these are named: add the column, or leave "
            f"the {len(without)} files without it out of the input"
        )


def _value_type(name: str, found: Sequence[_Found], *, is_partial: bool) -> pa.DataType:
    for type_, file in found:
        try:
            as_float64(pa.array([], type_), name)
        except InputError as error:
            raise SourceError(f"{file}: {error}") from None
    types = {type_ for type_, _ in found}
    return types.pop() if len(types) == 1 and not is_partial else pa.float64()


def _time_type(type_: pa.DataType, reading: Reading, needs_times: bool) -> pa.DataType:  # noqa: FBT001 (private)
    """The type of a file's sort column after what the user said of it."""
    if pt.is_integer(type_) and reading.time_unit is not None:
        return UTC_TIME
    is_naive = pt.is_date(type_) or (pt.is_timestamp(type_) and type_.tz is None)
    if is_naive and reading.input_timezone is not None:
        return UTC_TIME
    return NAIVE_TIME if needs_times and pt.is_date(type_) else type_


#: Tests for the families of types that go together, and the type of each family.
_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pt.is_integer, pa.int64()),
    (lambda one: pt.is_integer(one) or pt.is_floating(one) or pt.is_decimal(one), pa.float64()),
    (pt.is_date, pa.date32()),
    (lambda one: pt.is_date(one) or (pt.is_timestamp(one) and one.tz is None), NAIVE_TIME),
    (lambda one: pt.is_timestamp(one) and one.tz is not None, UTC_TIME),
    (pt.is_time, pa.time64("ns")),
    (pt.is_duration, pa.duration("ns")),
)


def _key_type(name: str, found: Sequence[_Found], *, is_sort: bool) -> pa.DataType:
    """One type for a column of ids, kinds or sort values."""
    known = [one for one in found if not pt.is_null(one[0])] or list(found)
    if len(known) == 1:
        return known[0][0]
    for test, common in _FAMILIES:
        if all(test(type_) for type_, _ in known):
            if pt.is_timestamp(common) and not is_sort:  # ids are written in microseconds
                return pa.timestamp("us", common.tz)
            return common
    (first, file), (other, another) = known[0], _unlike(known)
    remedy = "write all files with one type"
    if is_sort and pt.is_temporal(first) and pt.is_temporal(other):
        remedy = "say what times without a zone mean with input_timezone (--input-timezone)"
    raise SourceError(
        f"column {name!r} has type {first} in {file}, but {other} in {another}; {remedy}"
    )


def _unlike(found: Sequence[_Found]) -> _Found:
    """The first type of another family than the first one."""
    first = found[0][0]
    families = [test for test, _ in _FAMILIES if test(first)]
    return next((one for one in found[1:] if not any(test(one[0]) for test in families)), found[-1])


def _check_roles(schema: pa.Schema, columns: ColumnRoles) -> None:
    if columns.kind is None:
        check_kinds(columns.values, "the columns of values")
    elif not _is_kind(schema.field(columns.kind).type):
        raise SourceError(
            f"column {columns.kind!r} has type {schema.field(columns.kind).type}, but kinds are "
            "names: cast it to strings"
        )
    if columns.sort is not None:
        sort_type = schema.field(columns.sort).type
        if pt.is_nested(sort_type) or pt.is_null(sort_type):
            raise SourceError(f"column {columns.sort!r} has type {sort_type}, which has no order")


def _is_kind(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_integer(type_))
