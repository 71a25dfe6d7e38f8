"""`python -m sandbox.kubernetes --port 8901 --kubeconfig .local/kubeconfig` runs the stand-in alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import create_app, make_loopback_server, write_kubeconfig


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes", description=__doc__)
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, help="keeps the cluster between runs")
    parser.add_argument("--start-seconds", type=float, default=3.0)
    parser.add_argument("--nodes", type=int, default=1)
    given = parser.parse_args()
    app = create_app(given.state, start_s=given.start_seconds, nodes=given.nodes)
    server = make_loopback_server(app, given.port, given.host)
    url = f"http://{given.host}:{server.server_port}"
    write_kubeconfig(given.kubeconfig, url)
    print(f"Kubernetes stand-in on {url}, switches at {url}/ctl, kubeconfig in {given.kubeconfig}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        app.close()


if __name__ == "__main__":
    main()
