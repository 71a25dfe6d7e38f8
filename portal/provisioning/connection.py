"""One authenticated HTTP call to the Kubernetes API server: time-outs always, typed errors, plain JSON.

The official client makes the connection (kubeconfig, certificates, tokens that rotate). Its models are left
aside: they refuse answers that a newer or odd server gives, and we read only a few fields.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import structlog
import yaml
from kubernetes import config as kubernetes_config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from config import settings
from portal.core import pulse
from portal.core.db import assert_outside_transaction
from portal.core.errors import PortalError
from portal.provisioning.errors import ClusterForbids, ClusterUnavailable, Missing, Refused

log = structlog.get_logger()

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
CONNECT_TIMEOUT_S = 3.05
PASSING_CAUSES = {"NamespaceTerminating"}
MISSING_RIGHT = 'forbidden: User "'
"""A 403 for want of a right reads `… is forbidden: User "…" cannot …`; every other 403 comes from admission."""


@dataclass(frozen=True)
class Answer:
    """A 2xx answer; `json` is {} where the body is no JSON."""

    status: int
    body: bytes
    json: dict[str, Any]

    @property
    def text(self) -> str:
        """Logs come as text/plain without a charset; they are UTF-8, and may be cut inside a character."""
        return self.body.decode("utf-8", errors="replace")


class Connection:
    """Calls made with one client; safe to share between threads."""

    def __init__(self, client: ApiClient, *, timeout_s: float) -> None:
        self._client, self._timeout_s = client, timeout_s

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
        timeout_s: float | None = None,
    ) -> Answer:
        """Makes the call, once. Raises the errors of `provisioning.errors`; never inside a transaction."""
        assert_outside_transaction()
        request = self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        timeout = (CONNECT_TIMEOUT_S, timeout_s or self._timeout_s)
        try:
            response = self._client.call_api(*request, _request_timeout=timeout)
            content = response.read() or b""
        except (HTTPError, ApiException, OSError) as error:
            log.warning("cluster.no_answer", method=method, path=path, error=type(error).__name__)
            pulse.note("cluster", answered=False)
            raise ClusterUnavailable(error=type(error).__name__) from error
        pulse.note("cluster", answered=response.status < 500)
        parsed = _parse(content, response.headers.get("content-type") or "")
        if 200 <= response.status < 300:
            return Answer(response.status, content, parsed)
        refusal = _refusal(response.status, parsed)
        note = log.debug if isinstance(refusal, Missing) else log.warning
        note("cluster.refused", method=method, path=path, status=response.status, reason=parsed.get("reason"))
        raise refusal


def _parse(content: bytes, content_type: str) -> dict[str, Any]:
    """An API group that is not installed answers 404 in text/plain, a proxy in HTML: look before parsing."""
    if "json" not in content_type:
        return {}
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _refusal(status: int, body: dict[str, Any]) -> PortalError:
    """What the answer means. Its message stays out of logs and pages: it can quote what was sent."""
    message, details = body.get("message") or "", body.get("details") or {}
    causes = {cause.get("reason") for cause in details.get("causes") or []}
    facts: dict[str, Any] = {"status": status, "reason": body.get("reason") or "", "kind": details.get("kind", "")}
    facts["causes"] = sorted(filter(None, causes))
    if status == 401 or (status == 403 and MISSING_RIGHT in message):
        return ClusterForbids(**facts)
    if status == 429 or status >= 500 or status < 400 or causes & PASSING_CAUSES:
        return ClusterUnavailable(**facts)
    if status == 404 and body.get("kind") == "Status":
        return Missing(**facts)
    return Refused(**facts, over_quota="exceeded quota" in message)


@lru_cache(maxsize=4)
def connect(kubeconfig: str, kubeconfig_data: str, timeout_s: float) -> Connection:
    """A connection by kubeconfig, path or text, else by the pod's own account."""
    configuration = Configuration()
    try:
        _load(configuration, kubeconfig, kubeconfig_data)
    except (ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        log.error("cluster.no_kubeconfig", error=type(error).__name__)
        raise ClusterUnavailable(error="no usable kubeconfig") from error
    configuration.retries = False  # urllib3 would repeat writes on its own; and no redirects
    return Connection(ApiClient(configuration), timeout_s=timeout_s)


def connection() -> Connection:
    """The connection of this process's settings."""
    options = settings()
    return connect(options.kubeconfig, options.kubeconfig_data.get_secret_value(), options.cluster_timeout_s)


def _load(configuration: Configuration, kubeconfig: str, kubeconfig_data: str) -> None:
    if kubeconfig_data:
        kubernetes_config.load_kube_config_from_dict(
            yaml.safe_load(kubeconfig_data), client_configuration=configuration, persist_config=False
        )
    elif kubeconfig:
        kubernetes_config.load_kube_config(kubeconfig, client_configuration=configuration, persist_config=False)
    else:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
