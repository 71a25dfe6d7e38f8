"""The HTTP face: reads a request, asks who sent it, plays the faults, and calls the verb it means."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from werkzeug.wrappers import Request, Response

from . import control, eviction, kinds, listing, logs, nodes, patches, rbac, reviews, scale, verbs, watch
from .cluster import Cluster
from .faults import Fault
from .rbac import Account
from .refusals import (
    Refusal,
    bad_request,
    cause,
    forbidden_field,
    invalid,
    method_not_allowed,
    no_such_address,
    too_long,
)
from .refusals import required as required_field
from .verbs import Call

BODY_MAX_BYTES = 3145728
KUBELETS = "/kubelets/"
VERSION = {
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "sandbox", "gitTreeState": "clean",
    "buildDate": "2026-01-31T12:00:00Z", "goVersion": "go1.25", "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip
_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/merge-patch+json": patches.merge_patch,
    "application/strategic-merge-patch+json": patches.strategic_patch,
    "application/json-patch+json": patches.json_patch,
}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")


class App:
    """A WSGI application. `app.cluster` is the handle for tests; `app.close()` stops it and saves."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._stopped = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._respond(Request(environ))(environ, start_response)

    def close(self) -> None:
        self._stopped.set()
        self.cluster.close()

    def _respond(self, request: Request) -> Callable[..., Iterable[bytes]]:
        if request.path == "/ctl" or request.path.startswith("/ctl/"):
            return _guarded(lambda: control.respond(self.cluster, request))
        with self.cluster.store.lock:
            fault = self.cluster.faults.for_request(request.method, request.full_path)
        if fault is not None and fault.kind == "slow":
            self._stopped.wait(fault.seconds or 1)
        elif fault is not None and not fault.after:
            return self._spoil(request, fault, None)
        response = _guarded(lambda: self._answer(request))
        self._note(request, response.status_code, fault)
        return self._spoil(request, fault, response) if fault is not None and fault.after else response

    def _note(self, request: Request, status: int, fault: Fault | None) -> None:
        line: dict[str, Any] = {"at": self.cluster.clock.stamp(), "method": request.method, "path": request.path}
        line |= {"query": request.args.to_dict(), "status": status, "fault": fault.kind if fault else None}
        self.cluster.journal.append(line)

    def _spoil(self, request: Request, fault: Fault, response: Response | None) -> Callable[..., Iterable[bytes]]:
        """The broken answer in place of the real one."""
        if response is None:
            self._note(request, {"error": fault.status, "absent": 404}.get(fault.kind, 0), fault)
        if fault.kind == "absent":
            return _guarded(_not_installed)
        if fault.kind == "error":
            return _json(fault.status, Refusal(fault.status, "InternalError", fault.message).body())
        if fault.kind == "hang":
            self._stopped.wait(fault.seconds or 30)
        return _drop_connection

    def _answer(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        account = rbac.authenticate(self.cluster.accounts, request.headers.get("Authorization", ""))
        if path in ("/readyz", "/livez", "/healthz"):
            return Response("ok", mimetype="text/plain")
        if path == "/version":
            return _json(200, VERSION)
        review = reviews.respond(request, account, self.cluster.clock)
        if review is not None:
            return _json(201, review)
        if path.startswith(KUBELETS):
            return self._ask_kubelet(account, path)
        address = kinds.parse_address(path)
        if address is None:
            return self._outside(account, path)
        call = Call(
            self.cluster,
            address,
            account,
            request.args.to_dict(),
            request.headers.get("User-Agent", "unknown"),
        )
        return _Dispatch(request, call).respond()

    def _ask_kubelet(self, account: Account, path: str) -> Response:
        """The kubelets, which on a real node listen on port 10250 and ask the API server who may read."""
        name, _, rest = path.removeprefix(KUBELETS).partition("/")
        if rest != "stats/summary":
            return Response("404 page not found\n", 404, content_type="text/plain; charset=utf-8")
        if not account.may("get", "", "nodes/stats"):
            text = f"Forbidden (user={account.name}, verb=get, resource=nodes, subresource(s)=[stats])"
            return Response(text, 403, content_type="text/plain; charset=utf-8")
        with self.cluster.store.lock:
            return _json(200, nodes.summary(self.cluster, name))

    def _outside(self, account: Account, path: str) -> Response:
        """Discovery, for those who may: only the group and resource lists the dynamic client reads."""
        if account is rbac.ANONYMOUS:
            raise rbac.forbidden_path(account, "get", path)
        found = reviews.discover(path)
        if found is None:
            return Response("404 page not found\n", 404, content_type="text/plain; charset=utf-8")
        return _json(200, found)


def _guarded(answer: Callable[[], Response]) -> Response:
    try:
        return answer()
    except _PageNotFound as refusal:
        return Response(refusal.message, 404, content_type="text/plain; charset=utf-8")
    except Refusal as refusal:
        return _json(refusal.code, refusal.body(), refusal.headers)


def _not_installed() -> Response:
    raise _PageNotFound


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")


def _drop_connection(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Closes the socket without an answer; the server's complaint about it is no news."""
    socket = environ.get("werkzeug.socket")
    if socket is not None:
        socket.shutdown(2)
    raise ConnectionAbortedError("the sandbox dropped this connection")


class _Dispatch:
    """One request about a resource: method and address to verb."""

    def __init__(self, request: Request, call: Call) -> None:
        self.request, self.call, self.address = request, call, call.address

    def respond(self) -> Response:
        verb = self._verb()
        rbac.authorize(self.call.account, verb, self.address)
        self._check_address()
        if verb == "watch":
            return Response(_flushed(watch.stream(self.call)), content_type="application/json")
        self._check_accept()
        body = self._body()
        with self.call.store.lock:
            result = self._handlers()[verb](body)
        if isinstance(result, Response):
            return result
        response = _json(*result)
        for text in self.call.warnings:
            response.headers.add("Warning", "299 - " + json.dumps(text))
        return response

    def _verb(self) -> str:
        method, has_name = self.request.method, bool(self.address.name)
        if method == "GET" and not has_name:
            return "watch" if self.call.query.get("watch") in ("true", "1") else "list"
        if method == "DELETE" and not has_name:
            return "deletecollection"
        names = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        return names.get(method, method.lower())

    def _check_address(self) -> None:
        address = self.address
        if (address.group, address.version) not in kinds.GROUPS:
            is_group = any(group == address.group for group, _ in kinds.GROUPS)
            raise no_such_address() if is_group else _PageNotFound()
        if address.resource is None:
            raise no_such_address()
        if address.subresource and address.subresource not in address.resource.subresources:
            raise no_such_address()
        is_item = bool(address.name)
        allowed: tuple[str, ...] = ("GET", "PUT", "PATCH", "DELETE") if is_item else ("GET", "POST", "DELETE")
        if address.subresource == "eviction":
            allowed = ("POST",)
        if address.resource in (kinds.POD_METRICS, kinds.PERSISTENT_VOLUMES):
            allowed = () if is_item else ("GET",)
        if self.request.method not in allowed:
            raise method_not_allowed()

    def _check_accept(self) -> None:
        accept = self.request.headers.get("Accept", "*/*")
        if "json" not in accept and "*" not in accept and self.address.subresource != "log":
            available = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            message = f"406: Not Acceptable\n\nAvailable representations: {available}"
            raise Refusal(406, "NotAcceptable", message, details={})

    def _handlers(self) -> dict[str, Callable[[Any], Any]]:
        call = self.call
        return {
            "get": lambda _: self._get(),
            "list": lambda _: self._list(),
            "create": lambda body: eviction.evict(call, body) if self.address.subresource else verbs.create(call, body),
            "update": lambda body: verbs.replace(call, body),
            "patch": self._patch,
            "delete": lambda body: verbs.delete(call, body or {}),
            "deletecollection": lambda body: verbs.delete_collection(
                call, body or {}, listing.matching(call, listing.stored(call))
            ),
        }

    def _get(self) -> Any:
        if self.address.subresource == "scale":
            return scale.read_scale(self.call)
        if self.address.subresource == "log":
            return self._log()
        return verbs.read(self.call)

    def _log(self) -> Response:
        text = logs.read(self.call.cluster, self.call.find(), self.call.query)
        if text is None:
            response = Response(status=204)
            del response.headers["Content-Type"]
            return response
        return Response(text.encode(), headers={"Content-Type": "text/plain"})

    def _list(self) -> Any:
        status, body = listing.answer(self.call)
        if "as=PartialObjectMetadataList" in self.request.headers.get("Accept", ""):
            body = listing.only_metadata(body)
        return status, body

    def _patch(self, body: Any) -> Any:
        kind = self.request.mimetype
        if kind in _APPLY:
            self._check_apply_options()
            if self.address.subresource == "scale":
                return scale.apply_scale(self.call, body)
            return verbs.apply(self.call, body)
        if "force" in self.call.query:
            self._refuse_option(forbidden_field("force", "may not be specified for non-apply patch"))
        change = _PATCHES[kind]
        patch = scale.patch_scale if self.address.subresource == "scale" else verbs.patch
        return patch(self.call, lambda old: change(old, body))

    def _check_apply_options(self) -> None:
        manager = self.call.query.get("fieldManager", "")
        if not manager:
            self._refuse_option(required_field("fieldManager", "is required for apply patch"))
        if len(manager) > 128:
            self._refuse_option(too_long("fieldManager", 128))

    def _refuse_option(self, found: dict[str, str]) -> None:
        raise invalid("PatchOptions", "meta.k8s.io", "", [cause(**found)])

    def _body(self) -> Any:
        data = self.request.get_data()
        if len(data) > BODY_MAX_BYTES:
            message = f"Request entity too large: limit is {BODY_MAX_BYTES}"
            raise Refusal(413, "RequestEntityTooLarge", message)
        kind = self.request.mimetype
        if self.request.method == "PATCH":
            return _read_patch(kind, data)
        if not data or self.request.method == "GET":
            return {}
        if kind and "json" not in kind and "yaml" not in kind:
            media = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            message = f"the body of the request was in an unknown format - accepted media types include: {media}"
            raise Refusal(415, "UnsupportedMediaType", message)
        return self._read_object(data)

    def _read_object(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError:
            text = data.decode(errors="replace")
            resource = self.address.resource
            must = f"(must be of type {resource.kind if resource else ''})"
            why = (
                f"json parse error: invalid character '{text[1:2]}' looking for beginning of object key string ({text})"
            )
            raise bad_request(f"the object provided is unrecognized {must}: couldn't get version/kind; {why}") from None


def _read_patch(kind: str, data: bytes) -> Any:
    if kind in _APPLY:
        try:
            return yaml.load(data, Loader=_Loader) or {}
        except yaml.YAMLError:
            why = "error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"
            raise bad_request(f"error decoding YAML: {why}") from None
    if kind not in _PATCHES:
        raise Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
    try:
        return json.loads(data)
    except ValueError:
        raise bad_request("error decoding patch: unexpected end of JSON input") from None


class _PageNotFound(Refusal):
    """An API group that is not installed: text, not a Status."""

    def __init__(self) -> None:
        super().__init__(404, None, "404 page not found\n")


def _flushed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Starts the answer at once, so that a client sees an open stream before the first event."""
    yield b""
    yield from lines


def create_app(
    state_file: Path | None = None,
    *,
    is_manual: bool = False,
    start_s: float = 3.0,
    stop_s: float = 1.0,
    nodes: int = 1,
) -> App:
    """The stand-in as a WSGI application; see `Cluster` for the options."""
    return App(Cluster(state_file=state_file, is_manual=is_manual, start_s=start_s, stop_s=stop_s, nodes=nodes))
