"""Certificates for a scheduler at ``tls://``: where they come from, and whether they are trusted.

Without certificates Dask's client ends in a TypeError, and with wrong ones it tries again for as
long as it may. Here each is one sentence, before there is a client.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.errors import ArgumentError, ClusterError

if TYPE_CHECKING:
    from distributed.security import Security

__all__ = ["check_certificates", "security_of", "shake_hands"]

_CONFIG = "distributed.comm.tls"
_REQUIRED = "distributed.comm.require-encryption"
_REMEDY = (
    f"set {_CONFIG}.ca-file, {_CONFIG}.client.cert and {_CONFIG}.client.key in Dask's "
    "configuration (DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...__CLIENT__CERT, ...__CLIENT__KEY), "
    "or in a cluster file client_kwargs: "
    "{security: {tls_ca_file: ..., tls_client_cert: ..., tls_client_key: ...}}"
)


def security_of(text: str, given: Any) -> Security:
    """What a cluster file gives as ``security``; without it, what Dask's configuration gives.

    Parameters
    ----------
    text : the ``cluster`` argument
    given : keywords of ``distributed.Security``, one that is made already, or None

    Raises
    ------
    ArgumentError
        If it has keywords that Dask does not know.
    """
    from distributed.security import Security

    if isinstance(given, Security):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(
            f"cluster={text!r}: security={given!r} names no certificates; {_REMEDY}"
        )
    try:
        return Security(**(given or {}))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"cluster={text!r}: security: {error}; {_REMEDY}") from error


def check_certificates(text: str, keywords: Mapping[str, Any]) -> None:
    """Refuse ``tls://`` without usable certificates, and plain text where it is forbidden.

    Parameters
    ----------
    text : the ``cluster`` argument
    keywords : for DaskTaskRunner

    Raises
    ------
    ArgumentError
        If one is missing or cannot be used, or Dask's configuration requires encryption.
    """
    import dask.config

    address = str(keywords.get("address", ""))
    if address.startswith("tls://"):
        _context(text, keywords)
    elif address.startswith("tcp://") and dask.config.get(_REQUIRED, None):
        raise ArgumentError(
            f"cluster={text!r} is not encrypted, but {_REQUIRED} in Dask's configuration asks for "
            "it; use tls://host:port"
        )
    elif keywords and dask.config.get(_REQUIRED, None) and _is_plain_local(text, keywords):
        raise ArgumentError(
            f"cluster={text!r} makes a LocalCluster without certificates, but {_REQUIRED} in "
            "Dask's configuration asks for encryption; give security: true in its cluster_kwargs"
        )


def _is_plain_local(text: str, keywords: Mapping[str, Any]) -> bool:
    """Whether a cluster file asks for a ``LocalCluster`` with ports but without certificates."""
    name = str(keywords.get("cluster_class", "LocalCluster")).rpartition(".")[2]
    given = keywords.get("cluster_kwargs", {})
    if "address" in keywords or name != "LocalCluster" or given.get("security"):
        return False
    if str(given.get("protocol", "")).startswith("inproc"):
        return False
    configured = security_of(text, None).get_tls_config_for_role("scheduler")
    return not (configured["ca_file"] and configured["cert"])


def _context(text: str, keywords: Mapping[str, Any]) -> ssl.SSLContext:
    security = security_of(text, keywords.get("client_kwargs", {}).get("security"))
    role = security.get_tls_config_for_role("client")
    if not (role["ca_file"] and role["cert"]):
        raise ArgumentError(f"cluster={text!r} needs certificates; {_REMEDY}")
    for name in ("ca_file", "cert", "key"):
        _check_readable(text, name, role[name])
    try:
        context: ssl.SSLContext = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(str(role[name]) for name in ("ca_file", "cert", "key") if role[name])
        raise ArgumentError(
            f"cluster={text!r}: the certificates cannot be used ({error}): {files}; each is a PEM "
            "file, and the key is that of the client's certificate"
        ) from error
    return context


def _check_readable(text: str, name: str, path: str | None) -> None:
    if path is None or "\n" in path:  # the key may stand in the certificate's file; in memory
        return
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ArgumentError(
            f"cluster={text!r}: {name}={path!r} cannot be read: {error.strerror}; {_REMEDY}"
        ) from error


def shake_hands(text: str, keywords: Mapping[str, Any], connection: socket.socket) -> None:
    """Prove to each other who is who; the scheduler speaks first once it trusts the client.

    Parameters
    ----------
    text : the ``cluster`` argument
    keywords : for DaskTaskRunner
    connection : to the scheduler, with a timeout; closed at the end

    Raises
    ------
    ClusterError
        If one of the two does not trust the other, or the scheduler speaks no TLS.
    OSError
        If the scheduler does not answer in time.
    """
    context = _context(text, keywords)
    try:
        with context.wrap_socket(connection) as trusted:
            # In TLS 1.3 the client learns here whether its certificate was accepted.
            if not trusted.recv(1):
                raise ConnectionResetError("it closed the connection")
    except ssl.SSLCertVerificationError as error:
        raise ClusterError(
            f"cluster={text!r}: the scheduler's certificate is not trusted "
            f"({error.verify_message}); name the certificate authority of that cluster as ca-file"
        ) from error
    except ssl.SSLError as error:
        raise ClusterError(f"cluster={text!r}: {_fault(error)}") from error


def _fault(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if reason == "WRONG_VERSION_NUMBER":
        return "the scheduler there does not speak TLS; start it with certificates"
    if "ALERT" in reason:
        return (
            f"the scheduler refuses the client's certificate ({reason}); use one that the "
            "certificate authority of that cluster has signed"
        )
    return f"no TLS connection to the scheduler ({reason})"
