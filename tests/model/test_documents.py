"""What a person wrote is read as it stands, or refused: never half of it, never as code."""

import os
import socket
from pathlib import Path

import pytest

from tidemill.model.documents import parse_json, parse_yaml, read_document

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("mean: 1\nmean: 2", "'mean'"),
        ("x: {q: 1, q: 1}", "'q'"),
        ("- {a: [{b: 1, b: 2}]}", "'b'"),
        ("1: a\n0x1: b", "1"),
        ("'a': 1\n\"a\": 2", "'a'"),
        ("base: &b {k: 1}\nx: {<<: *b, k: 2, k: 3}", "'k'"),
    ],
)
def test_a_key_given_twice_in_yaml_is_refused(text, key):
    with pytest.raises(ValueError, match=f"key {key} is given twice; keep one of the two"):
        parse_yaml(text)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": null}}]'])
def test_a_key_given_twice_in_json_is_refused(text):
    with pytest.raises(ValueError, match="key 'a' is given twice"):
        parse_json(text)


def test_merged_keys_may_be_overridden():
    text = "z: &z {k: 0, l: 0}\nx: {a: &a {<<: *z, k: 1}}\ny: {<<: *a, l: 2}"
    assert parse_yaml(text)["x"] == {"a": {"k": 1, "l": 0}}
    assert parse_yaml(text)["y"] == {"k": 1, "l": 2}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/new:os.system ['touch {}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "x: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{}']]",
    ],
)
def test_yaml_tags_make_no_objects(tmp_path, text):
    mark = tmp_path / "mark"
    with pytest.raises(ValueError, match="could not determine a constructor"):
        parse_yaml(text.format(mark))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (parse_yaml, "&a [*a]", "contain themselves"),
        (parse_yaml, "[" * 3000, "nested too deeply"),
        (parse_json, "[" * 200_000, "nested too deeply"),
        (parse_yaml, BOMB, "more than 1,000,000 values"),
        (parse_yaml, b"\xff\xfe\x00", "."),
        (parse_yaml, "at: 2026-13-45", "month"),
        (parse_json, b"\xff", "."),
    ],
)
def test_what_cannot_be_read_is_a_value_error(parse, text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text)


def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 bytes
    os.mkfifo("pipe.yaml")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.yaml")
        for path in ("pipe.yaml", "/dev/zero", "/dev/null"):
            with pytest.raises(OSError, match="no regular file"):
                read_document(path)
        with pytest.raises(OSError):  # noqa: PT011 - the system's own: No such device or address
            read_document("socket.yaml")


def test_folders_and_huge_files_are_refused(tmp_path):
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        read_document(tmp_path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(2**36)
    with pytest.raises(OSError, match="at most 67,108,864 are read"):
        read_document(huge)


def test_links_to_files_are_followed(tmp_path):
    (tmp_path / "real.json").write_bytes(b"{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert read_document(Path(tmp_path / "link.json")) == b"{}"
