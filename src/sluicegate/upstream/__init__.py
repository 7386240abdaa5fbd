"""Connections to origins: a shared pool, HTTP/1.1, TLS, a parent proxy."""

from sluicegate.upstream.pool import OriginStats, Pool
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.tls import client_context

__all__ = ["OriginStats", "Pool", "UpstreamPoolSettings", "client_context"]
