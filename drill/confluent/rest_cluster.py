"""The endpoints of a cluster, its topics, its consumer groups and its ACLs."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent import cluster_bodies
from drill.confluent.acls import Acl, AclFilter, AclTable
from drill.confluent.endpoints import CLUSTER, ApiError, Endpoint, read
from drill.confluent.kafka_topics import REPLICATION_FACTOR
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.shapes import Shape

DEFAULT_PARTITIONS = 6
"""Of a topic that is created without saying; Confluent Cloud's."""


class _Config(BaseModel):
    name: str
    value: str | None = None


class _NewTopic(BaseModel):
    topic_name: str = Field(min_length=1)
    partitions_count: int = Field(default=DEFAULT_PARTITIONS, ge=1)
    replication_factor: int = REPLICATION_FACTOR
    configs: list[_Config] = []
    validate_only: bool = False


class _Partitions(BaseModel):
    partitions_count: int


class ClusterEndpoints:
    """The cluster itself."""

    def __init__(self, shape: Shape, cluster: LocalCluster, acls: AclTable) -> None:
        self._shape = shape
        self._cluster = cluster
        self._acls = acls

    def endpoints(self) -> list[Endpoint]:
        topic, group = f"{CLUSTER}/topics/{{topic}}", f"{CLUSTER}/consumer-groups/{{group}}"
        return [
            Endpoint(operation="getKafkaCluster", method="GET", path=CLUSTER, handler=self._get_cluster),
            Endpoint(operation="listKafkaTopics", method="GET", path=f"{CLUSTER}/topics", handler=self._topics),
            Endpoint(operation="createKafkaTopic", method="POST", path=f"{CLUSTER}/topics", handler=self._create_topic),
            Endpoint(operation="getKafkaTopic", method="GET", path=topic, handler=self._topic),
            Endpoint(operation="updatePartitionCountKafkaTopic", method="PATCH", path=topic, handler=self._grow_topic),
            Endpoint(operation="deleteKafkaTopic", method="DELETE", path=topic, handler=self._delete_topic),
            Endpoint(
                operation="listKafkaTopicConfigs", method="GET", path=f"{topic}/configs", handler=self._topic_configs
            ),
            Endpoint(
                operation="listKafkaConsumerGroups",
                method="GET",
                path=f"{CLUSTER}/consumer-groups",
                handler=self._groups,
            ),
            Endpoint(operation="listKafkaConsumerLags", method="GET", path=f"{group}/lags", handler=self._lags),
            Endpoint(operation="getKafkaAcls", method="GET", path=f"{CLUSTER}/acls", handler=self._list_acls),
            Endpoint(operation="createKafkaAcls", method="POST", path=f"{CLUSTER}/acls", handler=self._create_acl),
            Endpoint(operation="deleteKafkaAcls", method="DELETE", path=f"{CLUSTER}/acls", handler=self._delete_acls),
        ]

    async def _get_cluster(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.cluster(self._shape))

    async def _topics(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.topics(self._shape, await run_in_threadpool(self._cluster.topics)))

    async def _create_topic(self, request: Request) -> Response:
        new = await read(request, _NewTopic)
        if new.replication_factor != REPLICATION_FACTOR:
            raise ApiError(400, "Topic replication factor must be 3", 40002)
        if await run_in_threadpool(self._cluster.topic, new.topic_name) is not None:
            raise ApiError(400, f"Topic '{new.topic_name}' already exists.", 40002)
        if new.validate_only:
            return JSONResponse(
                cluster_bodies.topic(self._shape, Topic(name=new.topic_name, partitions=new.partitions_count))
            )
        configs = {row.name: row.value for row in new.configs if row.value is not None}
        created = await run_in_threadpool(self._cluster.create, new.topic_name, new.partitions_count, configs)
        return JSONResponse(cluster_bodies.topic(self._shape, created), 201)

    async def _topic(self, request: Request) -> Response:
        return JSONResponse(cluster_bodies.topic(self._shape, await self._topic_of(request)))

    async def _grow_topic(self, request: Request) -> Response:
        topic, count = await self._topic_of(request), (await read(request, _Partitions)).partitions_count
        if count <= topic.partitions:  # our choice of code and text
            raise ApiError(400, f"Topic has {topic.partitions} partitions, which is not below {count}.", 40002)
        await run_in_threadpool(self._cluster.grow, topic, count)
        return JSONResponse(cluster_bodies.topic(self._shape, await self._topic_of(request)))

    async def _delete_topic(self, request: Request) -> Response:
        await run_in_threadpool(self._cluster.delete, (await self._topic_of(request)).name)
        return Response(status_code=204)

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
        selection = AclFilter.model_validate(dict(request.query_params))
        return JSONResponse(cluster_bodies.acls(self._shape, self._acls.find(selection)))

    async def _create_acl(self, request: Request) -> Response:
        self._acls.add(await read(request, Acl))
        return Response(status_code=201)

    async def _delete_acls(self, request: Request) -> Response:
        selection = AclFilter.model_validate(dict(request.query_params))
        for name in ("resource_type", "pattern_type", "operation", "permission"):
            if getattr(selection, name) in (None, "UNKNOWN"):
                raise ApiError(400, f"{name} cannot be unspecified or UNKNOWN")
        return JSONResponse(cluster_bodies.deleted_acls(self._shape, self._acls.remove(selection)))
