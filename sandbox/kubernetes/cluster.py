"""The cluster itself: the store, the time, the switches, and the tick that moves everything one step on."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections import deque
from pathlib import Path
from typing import Any

from . import deployments, housekeeping, kubelet, logs, nodes, pages, rbac, replicasets
from .clock import Clock
from .cloning import clone
from .faults import Fault, Faults
from .kinds import BY_KEY, EVENTS, NAMESPACES, NODES, PODS, STORAGE_CLASSES, Resource
from .rest import Rest
from .selectors import label_matcher
from .store import Object, Store, new_uid

TICK_S = 0.25
SAVE_AFTER_S = 0.5
PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Cluster:
    """A handle for tests and for the sandbox server; every method may be called from any thread.

    `is_manual`: time stands still, nothing moves until `advance`. Otherwise a thread ticks every quarter second.
    `start_s`: from scheduling to Ready. `stop_s`: how long a stopped container takes beyond its grace period.
    """

    def __init__(
        self,
        *,
        state_file: Path | None = None,
        is_manual: bool = False,
        start_s: float = 3.0,
        stop_s: float = 1.0,
        nodes: int = 1,
    ) -> None:
        self.store, self.clock, self.faults = Store(), Clock(running=not is_manual), Faults()
        self.state_file, self.node_count = state_file, nodes
        self._speeds = (start_s, stop_s)
        self.runtime: dict[str, dict[str, Any]] = {}
        self.journal: deque[dict[str, Any]] = deque(maxlen=1000)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.reset()
        if state_file is not None and state_file.exists():
            self._load(state_file)
        if not is_manual:
            self._thread = threading.Thread(target=self._run, name="sandbox-kubernetes", daemon=True)
            self._thread.start()

    # time

    def tick(self) -> None:
        """Every controller looks once at everything; one tick shows at most one step of an object."""
        with self.store.lock:
            self.rest.look()
            housekeeping.tick(self)
            deployments.tick(self)
            replicasets.tick(self)
            kubelet.tick(self)
            nodes.tick(self)

    def advance(self, seconds: float) -> None:
        """Moves the clock on, ticking on the way unless everything is at rest."""
        with self.store.lock:
            for _ in range(max(1, round(seconds / TICK_S))):
                self.clock.advance(TICK_S)
                if not self.rest.is_quiet():
                    self.tick()
            self.store.changed.notify_all()

    def settle(self, ticks_max: int = 400) -> None:
        """Advances until nothing has changed for longer than a start and a stop take."""
        quiet = 0
        for _ in range(ticks_max):
            before = self.store.version
            self.advance(TICK_S)
            quiet = quiet + 1 if self.store.version == before else 0
            if quiet * TICK_S > self.start_s + self.stop_s + 1:
                return

    def _run(self) -> None:
        unsaved_s = 0.0
        while not self._closing.wait(TICK_S):
            try:
                self.tick()
            except Exception:
                traceback.print_exc()  # one broken object must not stop the cluster's time
            unsaved_s += TICK_S
            if unsaved_s >= SAVE_AFTER_S:
                self.save()
                unsaved_s = 0.0

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    # state

    def reset(self) -> None:
        """Back to an empty cluster without faults: nodes, StorageClasses and the system's namespaces."""
        with self.store.lock:
            self.store.clear()
            self.faults = Faults()
            self.accounts = rbac.initial_accounts()
            self.runtime.clear()
            self.journal.clear()
            self.start_s, self.stop_s = self._speeds
            self.event_count = self.pod_count = self.housekept_version = self.forgotten_version = 0
            self.rest = Rest(self)
            for name in PROTECTED_NAMESPACES:
                self.create_namespace(name)
            for number in range(1, self.node_count + 1):
                nodes.add(self, f"node-{number}")
            self.add_storage_class("standard", is_default=True)
            self.add_storage_class("expandable", allowVolumeExpansion=True)
            housekeeping.tick(self)
            self.store.compact()

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> Object:
        """For setting a scene; a portal makes its namespaces through the API."""
        labels = (labels or {}) | {"kubernetes.io/metadata.name": name}
        meta = {"name": name, "labels": labels}
        return self.add(NAMESPACES, meta, {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})

    def add(self, resource: Resource, meta: dict[str, Any], body: dict[str, Any]) -> Object:
        meta = {"uid": new_uid(), "creationTimestamp": self.clock.stamp()} | meta
        return self.store.add(resource, {"metadata": meta} | body)

    def set_node_ready(self, name: str, is_ready: bool) -> None:
        """Switches a node off or on; one that is off takes no new pods."""
        with self.store.lock:
            nodes.set_ready(self, name, is_ready)

    def ready_nodes(self) -> list[str]:
        """The names of the nodes that are switched on."""
        with self.store.lock:
            return [node["metadata"]["name"] for node in self.store.list(NODES) if nodes.is_ready(node)]

    def add_storage_class(self, name: str, *, is_default: bool = False, **more: Any) -> None:
        """One more class; that of the name `local` keeps a volume on the node its first pod came to."""
        meta = {"name": name} | ({"annotations": {_DEFAULT_CLASS: "true"}} if is_default else {})
        body = {"provisioner": "kubernetes.io/host-path", "reclaimPolicy": "Delete"} | more
        self.add(STORAGE_CLASSES, meta, body | {"volumeBindingMode": "Immediate"})

    def save(self) -> None:
        """Writes the state when it changed. The file is replaced in one step, so a crash leaves the old one."""
        with self.store.lock:
            if self.state_file is None or not self.store.is_dirty:
                return
            dumped = {"store": self.store.dump(), "runtime": self.runtime, "faults": self.faults.dump()}
            self.store.is_dirty = False
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.state_file.with_suffix(".tmp")
        draft.write_text(json.dumps(dumped))
        os.replace(draft, self.state_file)

    def _load(self, path: Path) -> None:
        dumped = json.loads(path.read_text())
        self.store.load(dumped["store"])
        self.runtime = dumped["runtime"]
        self.faults.load(dumped["faults"])

    def close(self) -> None:
        """Stops the clock's thread and saves; safe to call twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.save()

    # looking in

    def objects(self, *, label_selector: str = "", namespace: str = "") -> list[Object]:
        """Every object of every kind, with apiVersion and kind; Events left out unless asked for by namespace."""
        is_match = label_matcher(label_selector)
        with self.store.lock:
            found = [
                {"kind": BY_KEY[key[0]].kind, "apiVersion": BY_KEY[key[0]].api_version} | clone(obj)
                for key, obj in sorted(self.store.objects.items())
                if namespace in ("", key[1], key[2] if key[0] == NAMESPACES.key else key[1])
                and (key[0] != EVENTS.key or namespace)
            ]
        return [obj for obj in found if is_match(obj)]

    def add_fault(self, kind: str, **options: Any) -> Fault:
        """Switches trouble on; see `faults.Fault` for the options."""
        with self.store.lock:
            self.store.is_dirty = True
            return self.faults.add(kind, **options)

    def clear_faults(self, fault_id: int | None = None) -> int:
        with self.store.lock:
            self.store.is_dirty = True
            return self.faults.clear(fault_id)

    def put_log(self, namespace: str, pod: str, text: str, *, container: str = "", previous: str | None = None) -> None:
        """Text for the log endpoint of a pod; KeyError when there is no such pod."""
        with self.store.lock:
            found = self.store.objects[(PODS.key, namespace, pod)]
            life = self.runtime.setdefault(found["metadata"]["uid"], {})
            name = container or found["spec"]["containers"][0]["name"]
            logs.put(life, name, text, previous, self.clock.now_s())

    # running apps

    def has_host(self, host: str) -> bool:
        """Whether an Ingress claims the host; a port is ignored."""
        with self.store.lock:
            return pages.find_ingress(self, host) is not None

    def serve_app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """WSGI: the page that stands for the app behind the request's Host header."""
        with self.store.lock:
            status, body = pages.app_page(self, environ.get("HTTP_HOST", ""))
        payload = body.encode()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(payload)))]
        start_response(status, headers)
        return [payload]
