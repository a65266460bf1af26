"""TLS as a gateway's configuration describes it, towards clients and towards the cluster. PEM is what is read here."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from drill.gateway.config import BadGatewayConfig, Secret, Ssl, Store

CLIENTS_CERTIFICATE: Final = {"required": ssl.CERT_REQUIRED, "requested": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


def towards_clients(config: Ssl) -> ssl.SSLContext:
    """What shows the keystore's certificate, and asks for the client's if `clientAuth` says so.

    Raises:
        BadGatewayConfig: if a store can't be used.
    """
    if config.keystore is None:
        raise BadGatewayConfig("ssl towards clients needs a keystore")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    _show(context, config.keystore)
    if config.client_auth is not None:
        if config.client_auth.lower() not in CLIENTS_CERTIFICATE:
            raise BadGatewayConfig(f"clientAuth is one of {', '.join(CLIENTS_CERTIFICATE)}, not {config.client_auth!r}")
        context.verify_mode = CLIENTS_CERTIFICATE[config.client_auth.lower()]
        if context.verify_mode is not ssl.CERT_NONE:
            _trust(context, config.truststore)
    return context


def towards_cluster(config: Ssl) -> ssl.SSLContext:
    """What trusts the truststore, else what the system trusts, or anything with `ignoreTrust`.

    Raises:
        BadGatewayConfig: if a store can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.ignore_trust:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust(context, config.truststore)
    if config.keystore is not None:
        _show(context, config.keystore)
    return context


def _show(context: ssl.SSLContext, keystore: Store) -> None:
    try:
        context.load_cert_chain(_file_of(keystore), password=_text_of(keystore.key_password or keystore.password))
    except (OSError, ValueError) as error:
        raise BadGatewayConfig(f"the keystore {keystore.location} can't be used: {error}") from None


def _trust(context: ssl.SSLContext, truststore: Store | None) -> None:
    if truststore is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(_file_of(truststore))
    except (OSError, ValueError) as error:
        raise BadGatewayConfig(f"the truststore {truststore.location} can't be used: {error}") from None


def _file_of(store: Store) -> str:
    if store.type not in (None, "PEM") or store.location is None:
        raise BadGatewayConfig(
            f"a store of type {store.type} at {store.location} is not read by this stand-in; use PEM"
        )
    return store.location


def _text_of(secret: Secret | None) -> str:
    """A password; without one a key that needs one is refused, not asked for at the terminal."""
    if secret is None:
        return ""
    return Path(secret.file).read_text().strip() if secret.file else secret.value or ""
