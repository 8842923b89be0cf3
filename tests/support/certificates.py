"""Certificate authorities that tests make, and Dask schedulers and workers that use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import programs


@dataclass(frozen=True)
class Authority:
    """A certificate authority with one certificate, in PEM files."""

    folder: Path

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def certificate(self) -> str:
        return str(self.folder / "certificate.pem")

    @property
    def key(self) -> str:
        return str(self.folder / "key.pem")

    @property
    def options(self) -> list[str]:
        """For ``dask scheduler`` and ``dask worker``."""
        files = (self.ca, self.certificate, self.key)
        return [f"--tls-{n}={f}" for n, f in zip(("ca-file", "cert", "key"), files, strict=True)]

    @property
    def security(self) -> dict[str, str]:
        """For a cluster file."""
        return {
            "tls_ca_file": self.ca,
            "tls_client_cert": self.certificate,
            "tls_client_key": self.key,
        }

    @property
    def environment(self) -> dict[str, str]:
        """For Dask's configuration."""
        prefix = "DASK_DISTRIBUTED__COMM__TLS__"
        return {
            f"{prefix}CA_FILE": self.ca,
            f"{prefix}CLIENT__CERT": self.certificate,
            f"{prefix}CLIENT__KEY": self.key,
        }


def make_authority(folder: Path) -> Authority:
    """A new authority, and a certificate that it has signed."""
    folder.mkdir(parents=True)
    made = Authority(folder)
    root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    _write(made.ca, _certificate(name, name, root, root, is_ca=True))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask")])
    _write(made.certificate, _certificate(subject, name, key, root, is_ca=False))
    Path(made.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=12))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def _write(path: str, certificate: x509.Certificate) -> None:
    Path(path).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@contextmanager
def tls_scheduler(authority: Authority) -> Iterator[str]:
    """A ``dask scheduler`` that takes nobody without a certificate; its address."""
    command = [*programs.SCHEDULER, "--protocol=tls", *authority.options]
    with programs.program(command) as started:
        yield started.says(r"Scheduler at:\s+(tls://\S+)")[1]


@contextmanager
def tls_worker(authority: Authority, address: str) -> Iterator[programs.Program]:
    """A ``dask worker`` with a certificate."""
    with programs.worker(
        address, 1, options=authority.options, ready=r"Registered to:\s+tls"
    ) as one:
        yield one
