"""The union of schemas: columns by name, and types that no value changes in."""

import itertools
import time

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import ColumnRoles, Reading
from tidemill.sources.files.union import FileSchema, all_columns, unite

SCHEMA = pa.schema({"id": pa.int32(), "time": pa.int64(), "x": pa.float64(), "y": pa.float64()})
ROLES = ColumnRoles("id", "time", None, ("x", "y"))
NONE = pa.schema([])


def united(*schemas, columns=ROLES, reading=Reading(), **options):  # noqa: B008 (frozen)
    files = [FileSchema(name, schema) for name, schema in zip("abcdef", schemas, strict=False)]
    return unite(files, columns, reading, NONE, **options)


def with_types(**types):
    return pa.schema([(name, types.get(name, SCHEMA.field(name).type)) for name in SCHEMA.names])


def test_equal_types_stay_as_they_are():
    other = SCHEMA.append(pa.field("note", pa.string()))
    assert united(SCHEMA, other).schema == SCHEMA
    assert united(SCHEMA, other).lacking == ()


VALUES = (
    pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.float64(), pa.bool_(), pa.null(),
    pa.decimal128(10, 2), pa.decimal128(12, 4), pa.dictionary(pa.int8(), pa.int32()),
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(VALUES, 2)))
def test_values_of_different_types_are_float64(one, other):
    assert united(with_types(x=one), with_types(x=other)).schema.field("x").type == pa.float64()


TIMES = (pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns"), pa.date32())
ZONED = tuple(pa.timestamp(unit, zone) for unit in ("s", "ns") for zone in ("UTC", "Asia/Tokyo"))
KEYS = [
    *((*pair, pa.timestamp("ns")) for pair in itertools.combinations(TIMES, 2)),
    *((*pair, pa.timestamp("ns", "UTC")) for pair in itertools.combinations(ZONED, 2)),
    (pa.int16(), pa.int64(), pa.int64()),
    (pa.int32(), pa.float64(), pa.float64()),
    (pa.string(), pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
    (pa.time32("s"), pa.time64("us"), pa.time64("ns")),
    (pa.null(), pa.int64(), pa.int64()),
]


@pytest.mark.parametrize(("one", "other", "common"), KEYS)
def test_sort_columns_of_one_family_go_together(one, other, common):
    for pair in ((one, other), (other, one)):
        schemas = [with_types(time=type_) for type_ in pair]
        assert united(*schemas).schema.field("time").type == common


UNLIKE = [
    (pa.string(), pa.int64()),
    (pa.int64(), pa.timestamp("s")),
    (pa.timestamp("s"), pa.timestamp("s", "UTC")),
    (pa.date32(), pa.timestamp("s", "UTC")),
    (pa.string(), pa.timestamp("ns")),
    (pa.bool_(), pa.int64()),
]


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_keys_of_different_families_are_refused_with_both_files(one, other):
    with pytest.raises(SourceError, match=r"column 'time' has type .* in a, but .* in b"):
        united(with_types(time=one), with_types(time=other))


def test_naive_and_aware_times_go_together_once_naive_ones_have_a_zone():
    schemas = [with_types(time=type_) for type_ in (pa.timestamp("s"), pa.timestamp("ms", "UTC"))]
    with pytest.raises(SourceError, match="input_timezone"):
        united(*schemas)
    found = united(*schemas, reading=Reading(input_timezone="Asia/Tokyo"))
    assert found.schema.field("time").type == pa.timestamp("ns", "UTC")


def test_integers_are_times_if_their_unit_is_said():
    assert united(SCHEMA).schema.field("time").type == pa.int64()
    found = united(SCHEMA, reading=Reading(time_unit="ms"))
    assert found.schema.field("time").type == pa.timestamp("ns", "UTC")


def test_dates_are_times_where_times_are_needed():
    days = with_types(time=pa.date32())
    assert united(days).schema.field("time").type == pa.date32()
    assert united(days, needs_times=True).schema.field("time").type == pa.timestamp("ns")


def test_values_that_a_file_lacks_are_named_and_keys_that_it_lacks_refused():
    found = united(SCHEMA, SCHEMA.remove(3))
    assert (found.schema, found.lacking) == (SCHEMA, ("y",))
    whole = with_types(y=pa.int64())
    assert united(whole, whole.remove(3)).schema.field("y").type == pa.float64()
    with pytest.raises(SourceError, match="b has no column 'time', which other files have"):
        united(SCHEMA, SCHEMA.remove(1))


def test_text_among_values_names_its_file():
    with pytest.raises(SourceError, match="b: column 'x' has type string, but values must be"):
        united(SCHEMA, with_types(x=pa.string()))


def test_a_name_that_two_columns_of_a_file_have_is_refused():
    twice = pa.schema([*SCHEMA, pa.field("x", pa.int64())])
    with pytest.raises(SourceError, match="b: 2 columns have the name 'x'"):
        united(SCHEMA, twice)
    unused = pa.schema([*SCHEMA, *(pa.field("note", pa.int64()) for _ in range(2))])
    assert united(SCHEMA, unused).schema == SCHEMA


def test_a_sort_column_needs_an_order():
    with pytest.raises(SourceError, match=r"column 'time' has type list.* no order"):
        united(with_types(time=pa.list_(pa.int64())))


def test_constants_are_typed_over_all_files_or_as_a_log_states():
    roles = ColumnRoles("site", "time", None, ("x", "y"))
    files = [FileSchema(name, SCHEMA, (("site", name),)) for name in ("7", "8")]
    assert unite(files, roles, Reading(), NONE).schema.field("site").type == pa.int64()
    padded = [*files, FileSchema("c", SCHEMA, (("site", "07"),))]
    assert unite(padded, roles, Reading(), NONE).schema.field("site").type == pa.string()
    declared = pa.schema({"site": pa.int16()})
    assert unite(files, roles, Reading(), declared).schema.field("site").type == pa.int16()


def test_names_come_in_the_order_of_their_appearance():
    files = [FileSchema("a", SCHEMA), FileSchema("b", pa.schema({"z": pa.int8(), "x": pa.int8()}))]
    assert all_columns(files, NONE) == (["id", "time", "x", "y", "z"], [])


def test_the_work_for_each_column_does_not_grow_with_their_number():
    seconds = []
    for n in (2_000, 16_000):
        names = [f"c{i}" for i in range(n)]
        schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in names)])
        began = time.process_time()
        unite(
            [FileSchema("a.parquet", schema)],
            ColumnRoles("id", None, None, tuple(names)),
            Reading(),
            pa.schema([]),
        )
        seconds.append(time.process_time() - began)
    assert seconds[1] < 30 * seconds[0]  # of a square: 64 times
