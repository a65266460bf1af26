"""Whom a connection trusts: made once, since reading the roots takes longer than a handshake."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trust() -> ssl.SSLContext:
    """httpx's own context: the roots of certifi, or those that SSL_CERT_FILE or SSL_CERT_DIR name."""
    return httpx.create_ssl_context()
