"""The agents on the stand-in's nodes: the program that `deploy/agent` ships, one turn per node every half minute."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

from .kubernetes import AGENT_TOKEN, Cluster

PROGRAM = Path(__file__).resolve().parents[1] / "deploy" / "agent" / "agent.py"
INTERVAL_S = 30.0
FIRST_AFTER_S = 3.0  # the portal starts after the sandbox


class Agents:
    """A thread that speaks for every node that is switched on; a portal that does not listen is no error."""

    def __init__(self, cluster: Cluster, *, portal_url: str, token: str, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        self._given = {"PORTAL_URL": portal_url, "NODE_AGENT_TOKEN": token, "ACCOUNT_DIR": str(folder)}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-agents", daemon=True)

    def start(self, url: str) -> None:
        """`url`: where the sandbox itself answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "token").write_text(AGENT_TOKEN)
        self._given["API_URL"] = f"{url}/kubernetes"
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        program, pause_s = load_program(), FIRST_AFTER_S
        while not self._stopped.wait(pause_s):
            silent = [name for name in self._cluster.ready_nodes() if not self._speak(program, name)]
            pause_s = FIRST_AFTER_S if silent else INTERVAL_S

    def _speak(self, program: ModuleType, name: str) -> bool:
        kubelet = f"{self._given['API_URL']}/kubelets/{name}"
        settings = program.Settings.read(self._given | {"NODE_NAME": name, "KUBELET_URL": kubelet})
        try:
            program.send(settings, program.report(settings), now_s=time.time())
        except OSError:
            return False
        return True


def load_program() -> ModuleType:
    """The shipped program as a module, whatever the working directory."""
    spec = importlib.util.spec_from_file_location("minispod_agent", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module
