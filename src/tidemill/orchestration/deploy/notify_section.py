"""The section ``notify`` of a file of deployments: who is told of which runs, and how."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tidemill.errors import ArgumentError, shorten
from tidemill.model.durations import parse_duration
from tidemill.orchestration.deploy.strict import Strict

__all__ = ["Kind", "Notify"]

#: What a person may be told of.
Kind = Literal["failed", "crashed", "warned", "late"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Keys of which each entry has one: where the message goes.
CHANNELS = ("webhook", "slack", "mail", "block")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLOCK = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_LEAST_SECONDS = 10  # the shortest time for which Prefect's automations wait

_Texts = Annotated[
    list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
_Kinds = Annotated[
    list[Kind], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class Notify(Strict):
    """One place that messages go to.

    URLs and keys are secrets: the file has the name of the environment variable that holds one.
    """

    webhook: str | None = None  # variable with a URL, to which JSON is posted
    slack: str | None = None  # variable with the URL of an incoming webhook
    mail: str | None = None  # variable with the URL of an SMTP server, or a key of SendGrid
    block: str | None = None  # of the server, as type/name
    sender: str | None = Field(None, alias="from")  # of mail
    to: _Texts = Field(default_factory=list)  # of mail
    on: _Kinds = Field(default_factory=list)  # of which runs; [] : all kinds
    max_age: str | None = None  # without a good run; then a deployment is late
    deployments: _Texts = Field(default_factory=list)  # names; []: all

    @property
    def channel(self) -> str:
        """The key of the place, and its value."""
        return " ".join(f"{key} {getattr(self, key)}" for key in CHANNELS if getattr(self, key))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is told; by default what can be."""
        given = tuple(kind for kind in KINDS if kind in self.on)
        return given or (KINDS if self.max_age else KINDS[:-1])

    @property
    def max_age_seconds(self) -> int:
        """Seconds without a good run after which a deployment is late."""
        return parse_duration("max_age", self.max_age) // 10**9

    @field_validator("on")
    @classmethod
    def _each_kind_once(cls, given: list[Kind]) -> list[Kind]:
        if len(set(given)) < len(given):
            raise ValueError(f"on={given} is not allowed; give each kind once")
        return given

    @model_validator(mode="after")
    def _has_one_channel(self) -> Self:
        given = [key for key in CHANNELS if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                f"{' and '.join(given) or 'no place'} given; give one of {', '.join(CHANNELS)}"
            )
        if self.block is not None:
            _check_block(self.block)
        else:
            _check_variable(given[0], str(getattr(self, given[0])))
        return self

    @model_validator(mode="after")
    def _has_addresses_for_mail_only(self) -> Self:
        addresses = bool(self.sender), bool(self.to)
        if self.mail and not all(addresses):
            raise ValueError("mail needs the addresses from and to, such as from: mill@example.org")
        if not self.mail and any(addresses):
            raise ValueError("from and to are for mail; take them out")
        if wrong := [one for one in (self.sender, *self.to) if one and not _is_address(one)]:
            raise ValueError(f"{shorten(wrong)} is no mail address")
        return self

    @model_validator(mode="after")
    def _knows_when_a_run_is_late(self) -> Self:
        if self.max_age is None and "late" in self.on:
            raise ValueError("on: late needs max_age, the time without a good run, such as 26h")
        if self.max_age is not None and "late" not in self.kinds:
            raise ValueError("max_age is for runs that are late; add late to on, or take it out")
        if self.max_age is not None and _seconds(self.max_age) < _LEAST_SECONDS:
            raise ValueError(
                f"max_age={self.max_age!r} is not allowed; give {_LEAST_SECONDS}s or more"
            )
        return self


def _seconds(max_age: str) -> int:
    try:
        return parse_duration("max_age", max_age) // 10**9
    except ArgumentError as error:
        raise ValueError(str(error)) from None


def _check_variable(key: str, name: str) -> None:
    """Refuse what cannot be a variable's name; a secret is not shown."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            f"{key} is not the name of an environment variable; put the URL or key, which is a "
            f"secret, into a variable of whoever runs `tidemill deploy`, and give its name, such "
            f"as {key}: TIDEMILL_{key.upper()}"
        )


def _check_block(name: str) -> None:
    if not _BLOCK.fullmatch(name):
        raise ValueError(
            f"block={name!r} is not allowed; give type/name of a block on the server, such as "
            "slack-webhook/on-call; `prefect block ls` lists them"
        )


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[^@\s,]+@[^@\s,]+", text))
