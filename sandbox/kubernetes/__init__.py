"""A Kubernetes API server stand-in over HTTP: true where a portal depends on it, small everywhere else.

app = create_app(state_file=Path(".local/kubernetes.json"))
write_kubeconfig(Path(".local/kubeconfig"), "http://127.0.0.1:8900/kubernetes")
app.cluster.add_fault("crash-loop", namespace="user-*")
"""

from .app import App, create_app
from .cluster import Cluster
from .kubeconfig import write_kubeconfig
from .rbac import ADMIN_TOKEN, AGENT_TOKEN, PORTAL_TOKEN, service_account
from .serving import make_loopback_server

__all__ = [
    "ADMIN_TOKEN",
    "AGENT_TOKEN",
    "PORTAL_TOKEN",
    "App",
    "Cluster",
    "create_app",
    "make_loopback_server",
    "service_account",
    "write_kubeconfig",
]
