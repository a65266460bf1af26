"""A certificate authority, and a certificate for 127.0.0.1 that it signed.

Like that of an EKS cluster the certificate names no authority key identifier, which a strict client would refuse.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drill.ports import LOOPBACK


def certificate(directory: Path, *names: str) -> tuple[bytes, Path, Path]:
    """The authority's certificate (PEM), and the files of the server's certificate and key. `names`: its own, too."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "drill authority")])
    authority = (
        _begun(name, name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    hosts = [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), *map(x509.DNSName, names)]
    server = (
        _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "drill")]), name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain, secret = directory / "server.pem", directory / "server.key"
    chain.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return authority.public_bytes(serialization.Encoding.PEM), chain, secret


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
    )
