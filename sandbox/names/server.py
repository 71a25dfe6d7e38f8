"""The name server: one thread, one UDP port, a table of records, and the ways in which name servers fail."""

from __future__ import annotations

import json
import socketserver
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.exception import DNSException

TTL_S = 60
HOPS_MAX = 8
STOP_POLL_S = 0.05
FAULTS = ("silent", "servfail", "refused", "garbage")


class NameServer:
    """`with NameServer() as names: names.put("a.example.org", "TXT", "proof")`; `names.place` is its host:port.

    An empty put removes. Names that are not there are NXDOMAIN. `break_name` makes one fail, `*` all of them.
    """

    def __init__(self, port: int = 0, *, state_file: Path | None = None) -> None:
        self._state_file = state_file
        self._records: dict[tuple[str, str], list[str]] = self._read()
        self._faults: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(STOP_POLL_S,), daemon=True)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def put(self, name: str, kind: str, *values: str) -> None:
        """Sets all records of that name and kind."""
        self._records[(name.lower(), kind)] = list(values)
        self._write()

    @property
    def records(self) -> list[tuple[str, str, str]]:
        """Name, kind and value of each record, by name."""
        return sorted((name, kind, one) for (name, kind), values in self._records.items() for one in values)

    def clear(self) -> None:
        self._records.clear()
        self._faults.clear()
        self.asked.clear()
        self._write()

    def break_name(self, name: str, fault: str = "") -> None:
        """Makes questions about a name fail in one of `FAULTS`; without one it is mended."""
        assert fault in ("", *FAULTS), fault
        self._faults[name] = fault

    def start(self) -> NameServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> NameServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, wire: bytes) -> bytes | None:
        """What goes back for one packet; None when nothing does."""
        try:
            query = dns.message.from_wire(wire)
        except DNSException:
            return None
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        fault = self._faults.get(name) or self._faults.get("*")
        if fault in ("silent", "garbage"):
            return None if fault == "silent" else b"\x00\x01garbage"
        response = dns.message.make_response(query, recursion_available=True)
        if fault:
            response.set_rcode(dns.rcode.from_text(fault))
            return response.to_wire()
        self._fill(response, name, kind)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """Follows CNAMEs as a recursive server does; the last name decides whether there is one."""
        for _ in range(HOPS_MAX):
            values = self._records.get((name, kind), [])
            alias = [] if values or kind == "CNAME" else self._records.get((name, "CNAME"), [])
            if values:
                response.answer.append(_rrset(name, kind, values))
                return
            if not alias:
                break
            response.answer.append(_rrset(name, "CNAME", alias))
            name = alias[0].rstrip(".").lower()
        if not any(values for (known, _), values in self._records.items() if known == name):
            response.set_rcode(dns.rcode.NXDOMAIN)

    def _read(self) -> dict[tuple[str, str], list[str]]:
        if self._state_file is None or not self._state_file.exists():
            return {}
        kept: dict[tuple[str, str], list[str]] = {}
        for name, kind, value in json.loads(self._state_file.read_text()):
            kept.setdefault((name, kind), []).append(value)
        return kept

    def _write(self) -> None:
        if self._state_file is not None:
            self._state_file.write_text(json.dumps(self.records))

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        answer = self.answer

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                wire, link = self.request
                reply = answer(wire)
                if reply is not None:
                    link.sendto(reply, self.client_address)

        return Handler


def _rrset(name: str, kind: str, values: list[str]) -> Any:
    """TXT values are put in quotes, other names made absolute."""
    shapes = {"TXT": '"{}"', "CNAME": "{}."}
    texts = [shapes.get(kind, "{}").format(value.rstrip(".")) for value in values]
    return dns.rrset.from_text(f"{name}.", TTL_S, dns.rdataclass.IN, kind, *texts)
