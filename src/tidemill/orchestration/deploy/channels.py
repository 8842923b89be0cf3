"""Where messages go: blocks of Prefect, which keep the secrets on the server.

A secret comes from the environment of whoever runs `tidemill deploy`. Where its variable is not
set, a block that the server has already stays as it is.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import actions
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.diff import Difference
from tidemill.orchestration.deploy.notify_section import Notify

__all__ = [
    "BlockDifference",
    "Channel",
    "apply_block",
    "block_ids",
    "block_lines",
    "channel_of",
    "compare_blocks",
    "remove_block",
]

_PAGE = 200  # objects per request, the most that a server gives


@dataclass(frozen=True, slots=True)
class Channel:
    """One place that messages go to, and its block."""

    text: str  # as in the file, for people
    type: str  # of the block
    name: str  # likewise
    variable: str = ""  # that holds the secret; "": the block is not the project's
    data: Mapping[str, Any] | None = field(default=None, repr=False)  # None: no secret known here

    @property
    def place(self) -> str:
        """Type and name of the block, as Prefect's commands write them."""
        return f"{self.type}/{self.name}"

    @property
    def takes_json(self) -> bool:
        """Whether it is a plain webhook, which gets no subject."""
        return self.type == "webhook"


BlockDifference = Difference[Channel, BlockDocument]


def channel_of(project: str, one: Notify, environment: Mapping[str, str]) -> Channel:
    """The channel that an entry of the section names.

    Raises
    ------
    ArgumentError
        If a variable holds something else than the URL it should hold; the value is not shown.
    """
    if one.block:
        type_, _, name = one.block.partition("/")
        return Channel(one.channel, type_, name)
    variable = one.webhook or one.slack or one.mail or ""
    secret = environment.get(variable, "")
    type_ = "webhook" if one.webhook else "slack-webhook"
    data = _data(one, secret) if secret else None
    return Channel(one.channel, type_, _name(project, one), variable, data)


def _name(project: str, one: Notify) -> str:
    """Name of the block of an entry, the same for the same entry."""
    facts = hashlib.sha256(repr((one.channel, one.sender, one.to)).encode()).hexdigest()
    plain = re.sub("[^a-z0-9]+", "-", one.channel.lower()).strip("-")
    return f"{_prefix(project)}{plain}-{facts[:6]}"


def _prefix(project: str) -> str:
    """How the names of a project's blocks begin; other projects' begin otherwise."""
    return f"tidemill-{hashlib.sha256(project.encode()).hexdigest()[:8]}-"


def _data(one: Notify, secret: str) -> dict[str, Any]:
    """The values of a block: of Webhook, and else of SlackWebhook."""
    url = urlsplit(secret)
    if not (url.scheme and url.hostname):
        raise ArgumentError(f"notify: {one.channel}: the variable holds no URL")
    if one.mail:
        return {"url": _mail_url(one, secret)}
    if one.slack:
        return {"url": secret}
    # Private addresses stay allowed, as receivers often are in one's own network: whoever can make
    # deployments can run any code there.
    return {"url": secret, "headers": {"Content-Type": "application/json"}}


def _mail_url(one: Notify, secret: str) -> str:
    url = urlsplit(secret)
    if url.scheme not in {"smtp", "smtps"}:
        raise ArgumentError(
            f"notify: {one.channel}: the variable does not hold the URL of an SMTP server, such as "
            "smtps://user:password@mail.example.org:465"
        )
    user, _, host = url.netloc.rpartition("@")
    mode = "ssl" if url.scheme == "smtps" else "starttls" if user else "insecure"
    options = {"smtp": url.hostname, "mode": mode, "from": one.sender, "to": ",".join(one.to)}
    # Prefect has no block for SMTP, but SlackWebhook hands on all URLs of Apprise, as mailto: is.
    scheme = "mailto" if mode == "insecure" else "mailtos"
    at = f"{user}@" if user else ""
    query = urlencode(options, quote_via=quote)
    return f"{scheme}://{at}{host}/?{query}"


def compare_blocks(
    client: SyncPrefectClient, project: str, channels: Iterable[Channel]
) -> list[BlockDifference]:
    """What has to be done so that the server has a project's blocks, and no more of them.

    Raises
    ------
    ArgumentError
        If a block is not there, and cannot be made because its secret is not known.
    """
    left = _own_blocks(client, project)
    wanted = {one.place: one for one in channels}
    differences = []
    for one in wanted.values():
        if not one.variable:
            differences.append(Difference(one.place, one, _block_by_name(client, one)))
            continue
        found = left.pop(one.name, None)
        if found is None and one.data is None:
            raise ArgumentError(
                f"notify: {one.text}: the environment variable {one.variable} is not set, and the "
                "server has no block made from it; set it to the URL"
            )
        differences.append(Difference(one.place, one, found, _changes(one, found)))
    return [*differences, *(Difference(_full_name(one), None, one) for one in left.values())]


def _own_blocks(client: SyncPrefectClient, project: str) -> dict[str, BlockDocument]:
    found: dict[str, BlockDocument] = {}
    offset = 0
    while page := client.read_block_documents(offset=offset, limit=_PAGE, include_secrets=False):
        offset += len(page)
        own = {one.name or "": one for one in page}
        found |= {name: one for name, one in own.items() if name.startswith(_prefix(project))}
    return {name: client.read_block_document(one.id) for name, one in found.items()}


def _block_by_name(client: SyncPrefectClient, one: Channel) -> BlockDocument:
    try:
        found = client.read_block_document_by_name(one.name, one.type, include_secrets=False)
    except ObjectNotFound:
        raise ArgumentError(
            f"notify: {one.text}: the server has no such block; `prefect block ls` lists them"
        ) from None
    able = found.block_schema.capabilities if found.block_schema else []
    if not (one.takes_json or "notify" in able):
        raise ArgumentError(
            f"notify: {one.text}: a block of this type sends no messages; name one of a type such "
            "as webhook, slack-webhook or sendgrid-email"
        )
    return found


def _changes(wanted: Channel, found: BlockDocument | None) -> dict[str, str]:
    """Names of what differs; values are secrets."""
    if found is None or wanted.data is None:
        return {}
    data = wanted.data
    return {key: "another one" for key in data if found.data.get(key) != data[key]}


def _full_name(one: BlockDocument) -> str:
    return f"{one.block_type.slug if one.block_type else ''}/{one.name}"


def block_ids(blocks: Iterable[BlockDifference]) -> dict[str, uuid.UUID]:
    """Ids of blocks on the server; of those that are to be created, any others."""
    return {
        one.name: one.found.id if one.found else uuid.uuid5(uuid.NAMESPACE_URL, one.name)
        for one in blocks
    }


def apply_block(client: SyncPrefectClient, one: BlockDifference) -> None:
    """Create or change a block of the project.

    It is written as values, without Prefect's class, which would start the client that sends.
    """
    if not (one.wanted and one.wanted.data):
        return
    data = dict(one.wanted.data)
    if one.action == "change" and one.found:
        update = actions.BlockDocumentUpdate(data=data, merge_existing_data=False)
        client.update_block_document(one.found.id, update)
    elif one.action == "create":
        type_ = client.read_block_type_by_slug(one.wanted.type)
        schema = client.get_most_recent_block_schema_for_block_type(type_.id)
        assert schema is not None, "a server knows the types of blocks that come with it"
        new = actions.BlockDocumentCreate(
            name=one.wanted.name, data=data, block_type_id=type_.id, block_schema_id=schema.id
        )
        client.create_block_document(new)


def remove_block(client: SyncPrefectClient, one: BlockDifference) -> None:
    """Remove a block that the project no longer wants."""
    if one.action == "remove" and one.found:
        client.delete_block_document(one.found.id)


def block_lines(one: BlockDifference) -> Iterator[str]:
    """Describe it for people, if it changes the server."""
    if one.action != "unchanged":
        yield f"{one.action:<10} block {one.name}"
    yield from (f"{'':<10}   {path}: {change}" for path, change in one.changes.items())
