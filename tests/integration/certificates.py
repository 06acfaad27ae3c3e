"""Certificates as sandboxes make them, and services that show them."""

from __future__ import annotations

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import CertificateOptions, PrivateCertificate, TLSVersion


def certificate(name: str = "sandbox") -> PrivateCertificate:
    """A certificate that signed itself, as a sandbox makes one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, SHA256())
    )
    pem = made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


def options(certificate: PrivateCertificate) -> CertificateOptions:
    """
    How a service shows a certificate.

    Twisted's servers fail where a client offers protocols and they were told of none.
    """
    return CertificateOptions(
        privateKey=certificate.privateKey.original,
        certificate=certificate.original,
        acceptableProtocols=[b"http/1.1"],
        insecurelyLowerMinimumTo=TLSVersion.TLSv1_0,
    )


def pin(certificate: PrivateCertificate) -> bytes:
    """What a link is told of a certificate."""
    return hashlib.sha256(certificate.dump()).digest()
