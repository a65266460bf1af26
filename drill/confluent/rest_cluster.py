"""The endpoints of a cluster, its topics, its consumer groups and its ACLs."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent import cluster_bodies
from drill.confluent.acls import AclFilter, AclTable
from drill.confluent.endpoints import CLUSTER, ApiError, Endpoint
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.shapes import Shape


class ClusterEndpoints:
    """Reads of the cluster itself."""

    def __init__(self, shape: Shape, cluster: LocalCluster, acls: AclTable) -> None:
        self._shape = shape
        self._cluster = cluster
        self._acls = acls

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("getKafkaCluster", "GET", CLUSTER, self._get_cluster),
            Endpoint("listKafkaTopics", "GET", f"{CLUSTER}/topics", self._topics),
            Endpoint("getKafkaTopic", "GET", f"{CLUSTER}/topics/{{topic}}", self._topic),
            Endpoint("listKafkaTopicConfigs", "GET", f"{CLUSTER}/topics/{{topic}}/configs", self._topic_configs),
            Endpoint("listKafkaConsumerGroups", "GET", f"{CLUSTER}/consumer-groups", self._groups),
            Endpoint("listKafkaConsumerLags", "GET", f"{CLUSTER}/consumer-groups/{{group}}/lags", self._lags),
            Endpoint("getKafkaAcls", "GET", f"{CLUSTER}/acls", self._list_acls),
        ]

    async def _get_cluster(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.cluster(self._shape))

    async def _topics(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.topics(self._shape, await run_in_threadpool(self._cluster.topics)))

    async def _topic(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.topic(self._shape, await self._topic_of(request)))

    async def _topic_configs(self, request: Request) -> Response:
        topic = await self._topic_of(request)
        changed = self._cluster.topic_configs(topic.name)
        return JSONResponse(cluster_bodies.topic_configs(self._shape, topic.name, changed))

    async def _topic_of(self, request: Request) -> Topic:
        topic = await run_in_threadpool(self._cluster.topic, request.path_params["topic"])
        if topic is None:
            raise ApiError(404, "This server does not host this topic-partition.", 40403)
        return topic

    async def _groups(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.groups(self._shape, await run_in_threadpool(self._cluster.groups)))

    async def _lags(self, request: Request) -> Response:
        if not self._cluster.dedicated:  # our choice: only that it is a 404 is known
            raise ApiError(404, "HTTP 404 Not Found")
        group = request.path_params["group"]
        lags = await run_in_threadpool(self._cluster.group_lags, group)
        if not lags:
            raise ApiError(404, "Consumer group offsets could not be found.")
        return JSONResponse(cluster_bodies.group_lags(self._shape, group, lags))

    async def _list_acls(self, request: Request) -> Response:
        wanted = AclFilter.model_validate(dict(request.query_params))
        return JSONResponse(cluster_bodies.acls(self._shape, self._acls.find(wanted)))
