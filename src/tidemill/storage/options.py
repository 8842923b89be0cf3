"""Storage options name environment variables, so that plans and pickles hold no secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from tidemill.errors import ArgumentError

__all__ = ["check_options", "database_password", "resolve_options"]

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_DATABASE = frozenset({"password"})  # options of a database, which no object store knows
_ACCESS_KEY = re.compile(r"A[A-Z]{3}[A-Z0-9]{16}")  # an AWS access key: 20 long, no underscore


def check_options(options: Mapping[str, str] | None) -> dict[str, str]:
    """The options as a dict, if every value is the name of an environment variable.

    Parameters
    ----------
    options
        Option name (``aws_endpoint_url``, ``aws_access_key_id``, ...) to the *name* of the
        environment variable that holds its value.

    Raises
    ------
    ArgumentError
        If a value is anything else. The message does not repeat it.

    Examples
    --------
    >>> check_options({"aws_region": "AWS_REGION"})
    {'aws_region': 'AWS_REGION'}
    >>> check_options({"aws_secret_access_key": "hush-hush"})
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: storage_options['aws_secret_access_key'] must be the name of an \
environment variable in capitals, such as 'AWS_SECRET_ACCESS_KEY', never the value itself; \
set that variable on every machine that uses it. If it was a secret, rotate it: a server that \
started this run has stored the parameters
    """
    checked = dict(options or {})
    for option, variable in checked.items():
        if not _is_variable_name(variable):
            raise ArgumentError(
                f"storage_options[{option!r}] must be the name of an environment variable in "
                f"capitals, such as {str(option).upper()!r}, never the value itself; set that "
                "variable on every machine that uses it. If it was a secret, rotate it: a server "
                "that started this run has stored the parameters"
            )
    return checked


def resolve_options(options: Mapping[str, str] | None) -> dict[str, str]:
    """The values of storage options, read from this machine's environment.

    Stores and deltalake take the result, which leaves out those of a database. It holds secrets:
    use it, but never store it.

    Raises
    ------
    ArgumentError
        If a variable is not set here; the message names the option and the variable.

    Examples
    --------
    >>> os.environ["DEMO_REGION"] = "eu-central-1"
    >>> resolve_options({"aws_region": "DEMO_REGION"})
    {'aws_region': 'eu-central-1'}
    """
    checked = check_options(options)
    return {
        option: _value(option, checked[option]) for option in checked if option not in _DATABASE
    }


def database_password(options: Mapping[str, str] | None) -> str | None:
    """The password of a database, read from this machine's environment; None if none is named.

    Raises
    ------
    ArgumentError
        If the variable is not set here; the message names it.

    Examples
    --------
    >>> os.environ["DEMO_PASSWORD"] = "hush"
    >>> database_password({"password": "DEMO_PASSWORD"})
    'hush'
    """
    variable = check_options(options).get("password")
    return None if variable is None else _value("password", variable)


def _is_variable_name(text: object) -> bool:
    return (
        isinstance(text, str)
        and _VARIABLE.fullmatch(text) is not None
        and _ACCESS_KEY.fullmatch(text) is None
    )


def _value(option: str, variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ArgumentError(
            f"storage_options[{option!r}] names the environment variable {variable!r}, which is "
            "not set on this machine; set it here and on every worker"
        )
    return value
