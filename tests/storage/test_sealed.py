"""State files: every change of their content is found."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tidemill.storage.sealed import SEAL, built, seal, unseal

VALUES = {"name": "a", "rows": 7, "seconds": 0.1, "lists": [[1, "x"], []], "none": None}


def test_what_was_sealed_comes_back():
    assert unseal(seal(VALUES)) == VALUES


@pytest.mark.parametrize("cut", range(0, len(seal(VALUES)), 7))
def test_a_file_that_was_cut_short_is_found(cut):
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Extra"):
        unseal(seal(VALUES)[:cut])


def test_every_flipped_bit_is_found():
    content = seal(VALUES)
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            try:
                values = unseal(bytes(changed))
            except ValueError:
                continue
            assert SEAL not in json.loads(changed), "only a broken name of the seal goes unnoticed"
            assert len(values) > len(VALUES), "and it leaves a value that no class takes"


@pytest.mark.parametrize("name", VALUES)
def test_an_edited_value_is_found(name):
    edited = json.loads(seal(VALUES)) | {name: "another"}
    with pytest.raises(ValueError, match="damaged or edited"):
        unseal(json.dumps(edited).encode())


@pytest.mark.parametrize("content", [b"[]", b"null", b"7", b'"text"'])
def test_other_json_is_not_a_state_file(content):
    with pytest.raises(ValueError, match="does not hold an object"):
        unseal(content)


def test_files_of_older_versions_have_no_seal():
    assert unseal(json.dumps(VALUES).encode()) == VALUES


@dataclass
class One:
    text: str
    number: float
    whole: int = 0


@pytest.mark.parametrize(
    "values",
    [
        {"text": 1, "number": 1.0},
        {"text": "a", "number": "1"},
        {"text": "a", "number": None},
        {"text": "a", "number": 1.0, "whole": 1.5},
        {"text": "a", "number": True},
        {"text": "a"},
        "text",
        {"text": "a", "number": 1.0, "more": 1},
    ],
)
def test_values_of_other_types_are_refused(values):
    with pytest.raises(TypeError):
        built(One, values)


def test_a_whole_number_is_a_number():
    assert built(One, {"text": "a", "number": 1}).number == 1
