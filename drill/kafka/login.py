"""The login to a cluster that has only SASL/PLAIN; the mock cluster has none of its own."""

from __future__ import annotations

from collections.abc import Mapping

from drill.kafka import sasl
from drill.kafka.api_versions import with_apis
from drill.kafka.connection import Answered, Gate, Verdict
from drill.kafka.messages import API_VERSIONS, BEFORE_LOGIN, SASL_AUTHENTICATE, SASL_HANDSHAKE
from drill.network.splice import Bytes


class Login:
    """A gate of one connection that opens to a user with the right password; from then on, another gate has the say."""

    def __init__(self, logins: Mapping[str, str], then: Gate) -> None:
        self._logins = logins
        self._then = then
        self._is_in = False
        self.sees = then.sees | {API_VERSIONS}

    def wants(self, api_key: int) -> bool:
        return not self._is_in or api_key in BEFORE_LOGIN or self._then.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Answer the login.

        Raises:
            BadLogin: to any other request before it.
        """
        if api_key == API_VERSIONS:
            return None
        if api_key == SASL_HANDSHAKE:
            supported = sasl.mechanism_in(version, frame) == sasl.PLAIN
            return Answered(sasl.handshake_answer(frame, 0 if supported else sasl.UNSUPPORTED_MECHANISM))
        if api_key == SASL_AUTHENTICATE:
            self._is_in = sasl.user_of(sasl.token_in(version, frame), self._logins) is not None
            return Answered(sasl.authenticate_answer(version, frame, None if self._is_in else sasl.WRONG_LOGIN))
        if not self._is_in:
            raise sasl.BadLogin(f"a request of api key {api_key} before the login")
        return self._then.request(api_key, version, frame) if self._then.wants(api_key) else None

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        if api_key == API_VERSIONS:
            return with_apis(version, frame, sasl.SERVED)
        return self._then.response(api_key, version, frame)
