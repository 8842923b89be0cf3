"""Read JSON and YAML that a person wrote: settings, cluster files, project files.

Both formats leave open what a key means that is given twice, and Python's readers keep the last
one without a word. Here it is an error. YAML gives plain values only: no tag makes an object.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

__all__ = ["parse_json", "parse_yaml", "read_document"]

#: Aliases let a few lines of YAML stand for more values than fit into memory.
MOST_VALUES = 1_000_000
#: The largest file that a person wrote.
MOST_BYTES = 64 * 2**20


def read_document(path: str | os.PathLike[str]) -> bytes:
    """Content of a file that a person wrote.

    Raises
    ------
    OSError
        If it cannot be read; also if it is a pipe, a socket or a device, which might never end, or
        has more than 64 MiB.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_regular(os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def _check_regular(about: os.stat_result) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError("it is a folder; name a file in it")
    if not stat.S_ISREG(about.st_mode):
        raise OSError("it is no regular file, but a pipe, a socket or a device; name a file")
    if about.st_size > MOST_BYTES:
        raise OSError(f"it has {about.st_size:,} bytes; at most {MOST_BYTES:,} are read")


def parse_json(text: str | bytes) -> Any:
    """The value that JSON text describes.

    Raises
    ------
    ValueError
        If it is not JSON, nested too deeply, or gives a key twice.

    Examples
    --------
    >>> parse_json('{"mean": 1, "mean": 2}')
    Traceback (most recent call last):
        ...
    ValueError: key 'mean' is given twice; keep one of the two
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def parse_yaml(text: str | bytes) -> Any:
    """The value that YAML text describes; tags that make objects are not known.

    Raises
    ------
    ValueError
        If it is not YAML, gives a key twice, contains itself, is nested too deeply, or its aliases
        stand for more than a million values.

    Examples
    --------
    >>> parse_yaml("x: [mean, 1]")
    {'x': ['mean', 1]}
    """
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        _check_size(value)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("its values are nested too deeply, or contain themselves") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _check_once(key for key, _ in pairs)
    return dict(pairs)


def _check_once(keys: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"key {key!r} is given twice; keep one of the two")
        seen.add(key)


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice: YAML's own rule, which PyYAML does not enforce."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # When values are made, merged keys already stand beside those that override them.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        own = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        plain = [key for key in own if key.tag != "tag:yaml.org,2002:merge"]
        try:
            _check_once(self.construct_object(key) for key in plain)
        except ValueError as error:
            raise yaml.MarkedYAMLError(None, None, str(error), node.start_mark) from None
        return node


def _check_size(value: Any) -> None:
    sizes: dict[int, int] = {}
    if _size(value, sizes) > MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")


def _size(value: Any, sizes: dict[int, int]) -> int:
    """The values that come of one when all aliases are followed."""
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple, set)):
        return 1
    if id(value) not in sizes:
        sizes[id(value)] = 1 + sum(_size(one, sizes) for one in inner)
    return sizes[id(value)]
