"""Credentials from Secrets Manager: `{"key": …, "secret": …}`, in the controller's own region."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from failover.aws import client, is_transient
from failover.errors import CredentialsMissing, ServiceUnavailable

SECRET_CACHED_S = 300


@dataclass(frozen=True)
class Credentials:
    """An API key and its secret; the secret never shows in a representation."""

    key: str
    secret: str = field(repr=False)


@functools.cache
def _store() -> SecretsProvider:
    return SecretsProvider(boto3_client=client("secretsmanager"))


def credentials(name: str | None) -> Credentials | None:
    """The credentials in the secret of that name; None for no name.

    Raises:
        CredentialsMissing: if the secret does not exist or lacks `key` or `secret`.
        ServiceUnavailable: if Secrets Manager does not answer.
    """
    if name is None:
        return None
    try:
        document = json.loads(str(_store().get(name, max_age=SECRET_CACHED_S)))
        return Credentials(str(document["key"]), str(document["secret"]))
    except GetParameterError as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, Exception) and is_transient(cause):
            raise ServiceUnavailable(f"Secrets Manager did not answer for {name!r}") from error
        raise CredentialsMissing(
            f"secret {name!r} can't be read: it must exist in this region, and be this stack's"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise CredentialsMissing(f'secret {name!r} must hold {{"key": …, "secret": …}}') from None
