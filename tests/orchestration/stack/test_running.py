"""One stack for a home of Prefect."""

import os

import pytest

from tidemill.errors import ArgumentError
from tidemill.orchestration.stack.running import only_stack, running_stack

API = "http://127.0.0.1:4200/api"


def test_the_second_one_is_refused_and_told_what_it_can_do(tmp_path):
    home, file = tmp_path / "home", tmp_path / "a" / "prefect.yaml"
    other = tmp_path / "b" / "prefect.yaml"
    with only_stack(home, API, file):
        found = running_stack(home)
        assert (found.pid, found.api, found.file) == (os.getpid(), API, str(file))
        with pytest.raises(ArgumentError) as refused, only_stack(home, "http://other", other):
            pass
        assert f"kill {os.getpid()}" in str(refused.value)
        assert f"PREFECT_API_URL={API} tidemill deploy {other}" in str(refused.value)
        assert running_stack(home).api == API  # the one that was refused changed nothing
    assert running_stack(home) is None
    with only_stack(home, API, other):
        assert running_stack(home).file == str(other)


def test_what_a_killed_one_left_is_nobodys(tmp_path):
    (tmp_path / "tidemill-up.json").write_text('{"pid": 1, "home": "", "api": "", "file": ""}')
    assert running_stack(tmp_path) is None
