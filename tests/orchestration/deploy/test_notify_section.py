"""The section `notify`: what is allowed in it, and that it holds no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.notify_section import Notify
from tidemill.orchestration.deploy.project_file import PACKAGED, read_project

MAIL = {"mail": "MAIL", "from": "mill@example.org", "to": "a@example.org"}


def read(tmp_path: Path, *entries: object) -> list[Notify]:
    content = yaml.safe_load((PACKAGED / "prefect.yaml").read_text())
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump({**content, "notify": list(entries)}))
    return read_project(file).notify


def test_nobody_is_told_unless_asked_for():
    assert read_project(PACKAGED / "prefect.yaml").notify == []


def test_all_that_can_be_told_is_told_by_default(tmp_path):
    hook, block, mail = read(
        tmp_path, {"webhook": "HOOK", "max_age": "26h"}, {"block": "slack-webhook/on-call"}, MAIL
    )
    assert hook.kinds == ("failed", "crashed", "warned", "late")
    assert hook.max_age_seconds == 26 * 3600
    assert block.kinds == ("failed", "crashed", "warned")
    assert block.channel == "block slack-webhook/on-call"
    assert (mail.sender, mail.to) == ("mill@example.org", ["a@example.org"])


def test_one_kind_and_one_name_need_no_list(tmp_path):
    (one,) = read(tmp_path, {"slack": "SLACK", "on": "failed", "deployments": "daily"})
    assert one.kinds == ("failed",)
    assert one.deployments == ["daily"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "notify 1: no place given; give one of webhook, slack, mail, block"),
        ({"webhook": "A", "slack": "B"}, "notify 1: webhook and slack given; give one of"),
        ({"hook": "A"}, "key 'hook' is not allowed; allowed: webhook, slack, mail, block, from"),
        ({"webhook": "https://example.org/hush"}, "webhook is not the name of an environment var"),
        ({"slack": "xoxb-hush"}, "put the URL or key, which is a secret, into a variable"),
        ({"block": "on-call"}, "block='on-call' is not allowed; give type/name of a block"),
        ({"webhook": "A", "on": ["fail"]}, "on='fail' is not allowed; allowed: failed, crashed"),
        ({"webhook": "A", "on": ["failed", "failed"]}, "give each kind once"),
        ({"webhook": "A", "on": "late"}, "on: late needs max_age"),
        ({"webhook": "A", "on": "failed", "max_age": "1d"}, "add late to on, or take it out"),
        ({"webhook": "A", "max_age": "1 day"}, "max_age='1 day' is not allowed; write '1d'"),
        ({"webhook": "A", "max_age": "1s"}, "max_age='1s' is not allowed; give 10s or more"),
        ({"webhook": "A", "max_age": 26}, "max_age=26 is not allowed; allowed: text"),
        ({"mail": "A"}, "mail needs the addresses from and to"),
        ({"webhook": "A", "to": "a@example.org"}, "from and to are for mail"),
        (MAIL | {"to": ["team"]}, "team is no mail address"),
        ("HOOK", "notify='HOOK' is not allowed; allowed: a mapping"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence_and_without_a_secret(tmp_path, entry, message):
    with pytest.raises(ArgumentError) as error:
        read(tmp_path, entry)
    assert message in str(error.value)
    assert "hush" not in str(error.value)


def test_a_placeholder_would_put_the_secret_into_the_automation_so_it_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOOK", "https://example.org/hush")
    with pytest.raises(ArgumentError, match="webhook is not the name of an env") as error:
        read(tmp_path, {"webhook": "{{ $HOOK }}"})
    assert "hush" not in str(error.value)
