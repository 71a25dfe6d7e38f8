"""python -m sandbox: play the payment gateway, the cluster and the mail server until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading

from .server import CLIENT_KEY, NOTIFICATION_URL, SERVER_KEY, SandboxServer


def main() -> None:
    given = _arguments().parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    server = SandboxServer(
        given.data, notification_url=given.notification_url, host=given.host, port=given.port,
        smtp_port=given.smtp_port, kubeconfig=given.kubeconfig, server_key=given.server_key,
        client_key=given.client_key, seed=given.seed, portal_url=given.portal_url,
        agent_token=os.environ.get("NODE_AGENT_TOKEN", ""),
    )  # fmt: skip
    with server:
        print(f"sandbox at {server.url}, mail on port {server.smtp_port}", flush=True)
        told_to_stop.wait()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--smtp-port", type=int, default=8925)
    parser.add_argument("--data", default=".local/sandbox", help="folder for the state")
    parser.add_argument("--notification-url", default=NOTIFICATION_URL)
    parser.add_argument("--portal-url", default="", help="where the nodes' agents send heartbeats (NODE_AGENT_TOKEN)")
    parser.add_argument("--kubeconfig", help="where to write it (default: in the data folder)")
    parser.add_argument("--server-key", default=SERVER_KEY)
    parser.add_argument("--client-key", default=CLIENT_KEY)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
