"""
A certificate of our own making, for trying out below `.localhost`: made at the first start, kept for the next.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from coral_gate.config.sections.tls import CertificateConfig
from coral_gate.errors import ConfigError, Problem

_DAYS = 397
"""The longest that browsers take (CA/Browser Forum Baseline Requirements §6.3.2, at the time of their choice)."""
_RENEW_DAYS = 14


def self_signed(folder: Path, names: tuple[str, ...], now: datetime | None = None) -> CertificateConfig:
    """
    The certificate in a folder, made or made anew where it is missing, is for other names or ends soon.

    A browser asks once whether to trust it; it proves nothing, and names outside `.localhost` are refused.

    :param folder: made with mode 0700, and so is the one that it is in.
    :raises ValueError: a name is not below `.localhost`.
    :raises ConfigError: the folder cannot be written.
    """
    if any(not name.endswith(".localhost") for name in names):
        raise ValueError("a certificate of our own making is for names below .localhost alone")
    files = CertificateConfig(names=names, certificate=folder / "certificate.pem", key=folder / "key.pem")
    now = now or datetime.now(UTC)
    try:
        if not _serves(files, now):
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # `parents` makes those in between without the mode
            folder.mkdir(mode=0o700, exist_ok=True)
            _make(files, now)
    except OSError as e:
        why = f"The try-out's certificate cannot be kept here: {e.strerror}."
        raise ConfigError((Problem(str(folder), "tls", why, "Set gate.state_directory to a folder of your own."),)) from e
    return files


def _serves(files: CertificateConfig, now: datetime) -> bool:
    if not (files.certificate.exists() and files.key.exists()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound):
        return False
    return set(names) == set(files.names) and certificate.not_valid_after_utc > now + timedelta(days=_RENEW_DAYS)


def _make(files: CertificateConfig, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, files.names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in files.names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(files.key, pem, 0o600)
    _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write whole or not at all."""
    beside = path.with_suffix(".new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
