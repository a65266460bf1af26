"""The way into an EKS cluster: where its API server is, whom to trust there, and a token that says who asks.

The token is a presigned STS GetCallerIdentity request that names the cluster in a signed header
(https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster): it is made here,
without a call, and a cluster takes it for 15 minutes. What the caller may do there is a matter of the cluster's access
entries and RBAC; no IAM permission is needed for it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import botocore.session
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from failover.aws.clients import Role, client, session_of
from failover.aws.errors import aws_errors
from failover.container import remembered
from failover.errors import FleetRejected, FleetUnavailable
from failover.plan.fleets import Eks

CLUSTER_HEADER: Final = "x-k8s-aws-id"
TOKEN_VALID_S: Final = 60
"""For how long STS itself takes the presigned request; clusters only look at when it was made."""


_OWN_ENDPOINTS: Final = {
    "sts_regional_endpoints": "regional",
    "ignore_configured_endpoint_urls": True,
    "use_fips_endpoint": False,
    "use_dualstack_endpoint": False,
}
"""A cluster takes requests to STS's own host in its region alone, whatever this process is configured to call."""


@dataclass(frozen=True)
class ApiServer:
    """Where a cluster's API server is, and who signed its certificate (PEM)."""

    endpoint: str
    authority: str


@remembered
def api_server(eks: Eks, region: str, role: Role | None = None) -> ApiServer:
    """The plan's, or else what EKS says; asked once for each container.

    Raises:
        FleetUnavailable, FleetRejected
    """
    endpoint, authority = eks.endpoint, eks.certificate_authority
    if endpoint is None or authority is None:
        of = f"EKS, for where cluster {eks.name} in {region} is"
        with aws_errors(of, transient=FleetUnavailable, final=FleetRejected):
            cluster = client("eks", region, attempts=1, role=role).describe_cluster(name=eks.name)["cluster"]
        try:
            endpoint, authority = str(cluster["endpoint"]), str(cluster["certificateAuthority"]["data"])
        except KeyError:
            raise FleetUnavailable(f"EKS cluster {eks.name} in {region} has no endpoint yet") from None
    try:
        return ApiServer(endpoint, base64.b64decode(authority, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise FleetRejected(f"certificate_authority of EKS cluster {eks.name} must be base64 of a PEM text") from None


def trust(server: ApiServer) -> ssl.SSLContext:
    """Whom to trust: the cluster's own authority, and nobody else.

    Not in the strict mode that Python 3.13 made its default: certificates of EKS have no authority key identifier
    (https://github.com/kubernetes-client/python/issues/2394).

    Raises:
        FleetRejected: if the authority is none.
    """
    try:
        context = ssl.create_default_context(cadata=server.authority)
    except ssl.SSLError as error:
        raise FleetRejected(f"the certificate authority for {server.endpoint} can't be read: {error}") from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def token(cluster: str, region: str, role: Role | None = None) -> str:
    """A bearer token for a cluster of that name, signed for STS in the cluster's own region, by a role or as who this
    function is.

    Raises:
        FleetRejected: if this function has no credentials, or may not take the role on.
        FleetUnavailable: if nobody gave it the role's.
    """
    session = _session()
    credentials = (session if role is None else session_of(role)).get_credentials()
    if credentials is None:
        raise FleetRejected(f"no AWS credentials to sign a token for EKS cluster {cluster} with")
    signer = RequestSigner(
        ServiceId("STS"),
        region,
        signing_name="sts",
        signature_version="v4",
        credentials=credentials,
        event_emitter=session.get_component("event_emitter"),
    )
    request = {
        "method": "GET",
        "url": f"https://{_sts(region)}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {CLUSTER_HEADER: cluster},
        "context": {},
    }
    with aws_errors(f"STS, for EKS cluster {cluster}", transient=FleetUnavailable, final=FleetRejected):
        url = signer.generate_presigned_url(request, region_name=region, expires_in=TOKEN_VALID_S, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


@functools.cache
def _sts(region: str) -> str:
    """The host of STS in a region: each partition of AWS has a domain of its own."""
    client = _session().create_client("sts", region_name=region)
    return str(urlsplit(client.meta.endpoint_url).hostname)


@functools.cache
def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    for name, value in _OWN_ENDPOINTS.items():
        session.set_config_variable(name, value)
    return session
