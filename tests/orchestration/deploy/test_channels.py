"""Places that messages go to: blocks on a server, made from secrets of the environment."""

from __future__ import annotations

import uuid

import pytest
from prefect.blocks.notifications import SlackWebhook
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.channels import (
    apply_block,
    block_ids,
    block_lines,
    channel_of,
    compare_blocks,
    remove_block,
)
from tidemill.orchestration.deploy.notify_section import Notify

SECRET = "https://example.org/hush"  # noqa: S105
MAIL = {"mail": "V", "from": "mill@example.org", "to": ["a@example.org", "b@example.org"]}


def channel(entry, secret=SECRET, project="mine"):
    one = Notify.model_validate(entry)
    return channel_of(project, one, {"V": secret} if secret else {})


@pytest.fixture
def client(prefect_server):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def project():
    return f"project {uuid.uuid4().hex}"


def test_a_webhook_takes_json_and_the_others_text():
    hook, slack, mail = (
        channel({"webhook": "V"}),
        channel({"slack": "V"}),
        channel(MAIL, "smtp://h"),
    )
    assert [one.takes_json for one in (hook, slack, mail)] == [True, False, False]
    assert hook.data == {"url": SECRET, "headers": {"Content-Type": "application/json"}}
    assert slack.data == {"url": SECRET}


def test_names_are_of_the_project_and_the_entry():
    names = {
        channel({"webhook": "V"}).place,
        channel({"webhook": "V"}, project="other").place,
        channel({"slack": "V"}).place,
        channel(MAIL, None).place,
        channel(MAIL | {"to": "a@example.org"}, None).place,
    }
    assert len(names) == 5
    assert channel({"webhook": "V"}).place == channel({"webhook": "V"}, None).place


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("smtp://mail.example.org", "mailto://mail.example.org/?smtp=mail.example.org&mode=insecure"),
        ("smtp://u:p%40w@mail.example.org:587",
         "mailtos://u:p%40w@mail.example.org:587/?smtp=mail.example.org&mode=starttls"),
        ("smtps://u:pw@mail.example.org",
         "mailtos://u:pw@mail.example.org/?smtp=mail.example.org&mode=ssl"),
    ],
)  # fmt: skip
def test_mail_goes_through_a_server(server, url):
    made = channel(MAIL, server).data["url"]
    assert made == f"{url}&from=mill%40example.org&to=a%40example.org%2Cb%40example.org"


@pytest.mark.parametrize("entry", [{"webhook": "V"}, {"slack": "V"}, MAIL])
@pytest.mark.parametrize("secret", ["hush", "hush.example.org/x", "ftp://"])
def test_what_is_no_url_is_refused_and_not_shown(entry, secret):
    with pytest.raises(ArgumentError, match="V: the variable") as error:
        channel(entry, secret)
    assert "hush" not in str(error.value)


def test_no_secret_is_shown_by_a_channel():
    assert "hush" not in repr(channel({"webhook": "V"}))


def applied(client, project, *channels):
    """Apply, and what was done."""
    done = compare_blocks(client, project, channels)
    for one in done:
        apply_block(client, one)
        remove_block(client, one)
    return [line.split()[0] for one in done for line in block_lines(one)]


def test_blocks_are_made_changed_kept_and_removed(client, project):
    hook, slack = (
        channel({"webhook": "V"}, project=project),
        channel({"slack": "V"}, project=project),
    )
    assert applied(client, project, hook, slack, hook) == ["create", "create"]
    assert applied(client, project, hook, slack) == []
    assert Webhook.load(hook.name).url.get_secret_value() == SECRET
    other = channel({"webhook": "V"}, f"{SECRET}2", project)
    assert applied(client, project, other, slack) == ["change", "url:"]
    assert Webhook.load(hook.name).url.get_secret_value() == f"{SECRET}2"
    unknown = channel({"webhook": "V"}, None, project)
    assert applied(client, project, unknown, slack) == []  # what the server has stays
    ids = block_ids(compare_blocks(client, project, [unknown]))
    assert ids[hook.place] == client.read_block_document_by_name(hook.name, "webhook").id
    assert applied(client, f"{project}2") == []
    assert applied(client, project) == ["remove", "remove"]


def test_a_secret_that_is_known_nowhere_is_asked_for(client, project):
    with pytest.raises(ArgumentError, match="environment variable V is not set"):
        compare_blocks(client, project, [channel({"webhook": "V"}, None, project)])


def test_a_block_of_the_server_is_used_if_it_sends_messages(client, project):
    name = f"on-call-{uuid.uuid4().hex[:6]}"
    Secret(value="x").save(name)
    with pytest.raises(ArgumentError, match="a block of this type sends no messages"):
        compare_blocks(client, project, [channel({"block": f"secret/{name}"})])
    with pytest.raises(ArgumentError, match="the server has no such block; `prefect block ls`"):
        compare_blocks(client, project, [channel({"block": f"slack-webhook/{name}"})])
    Webhook(url=SECRET).save(name)
    assert applied(client, project, channel({"block": f"webhook/{name}"})) == []
    assert applied(client, project) == []
    assert Webhook.load(name).url.get_secret_value() == SECRET


def test_prefect_has_a_block_that_hands_on_urls_of_mail():
    """What mail is sent by: a block that did not would fail on the server only."""
    assert SlackWebhook.get_block_type_slug() == channel(MAIL, None).type
