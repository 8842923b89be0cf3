"""All names in one place."""

from __future__ import annotations

import pytest

from tidemill.errors import SinkError
from tidemill.storage.layout import SinkLayout, indexed

KEYS = ("a" * 64, "b" * 64)


def test_delta(tmp_path):
    layout = SinkLayout.of(tmp_path / "matrix")
    assert (layout.kind, layout.format, layout.name) == ("delta", "delta", "")
    key = layout.key(KEYS[0])
    assert key.data == layout.home
    assert key.state.url == f"{tmp_path}/matrix/_tidemill/keys/{'a' * 16}"
    names = {key.part(12) for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(f"part-{'a' * 16}-000012-") and key.is_part(name) for name in names)
    assert not layout.key(KEYS[1]).is_part(names.pop())
    assert key.work.url.endswith("/work")


@pytest.mark.parametrize(("name", "kind"), [("m.parquet", "parquet"), ("M.CSV", "csv")])
def test_file(tmp_path, name, kind):
    layout = SinkLayout.of(tmp_path / name)
    assert (layout.kind, layout.format, layout.name) == ("file", kind, name)
    assert layout.home.url == str(tmp_path)
    assert layout.state.url == f"{tmp_path}/_{name}.tidemill"
    assert layout.key(KEYS[0]).data.url == f"{layout.state.url}/parts-{'a' * 16}"


@pytest.mark.parametrize("sink", ["/", "s3://bucket"])
def test_a_sink_without_a_name_is_refused(sink):
    with pytest.raises(SinkError, match="no name of its own"):
        SinkLayout.of(sink)


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_forget(place, name):
    layout = SinkLayout.of(f"{place[0]}/{name}", place[1])
    for result_key in KEYS:
        key = layout.key(result_key)
        key.state.write(key.plan, b"{}")
        key.data.write(key.part(0), b"rows")
    layout.records.write("r.json", b"{}")
    layout.forget(keep=KEYS[1])
    assert layout.key(KEYS[0]).state.list() == []
    assert layout.key(KEYS[1]).state.exists("plan.json")
    assert layout.records.exists("r.json")
    left = [entry.path for entry in layout.key(KEYS[1]).data.folder()[0]]
    assert len(left) == (2 if layout.kind == "delta" else 1)


def test_indexed():
    assert indexed("attempts/000007-0a.json") == (7, "0a")
    assert indexed("0000123-4.json") == (123, "4")
    assert indexed("7.json") is None
