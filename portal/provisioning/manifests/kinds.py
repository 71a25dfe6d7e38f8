"""The kinds of object that belong to an instance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ManagedKind:
    """A kind as the API server knows it. `listable` is False where the worker's role may not list."""

    api_version: str
    kind: str
    plural: str
    listable: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def path_prefix(self) -> str:
        """`/api/v1` for the core group, `/apis/<group>/<version>` for the others."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"


#: In apply order; delete in reverse, so that nothing is left pointing at what is gone. A Secret can be
#: written and deleted by name but not read or listed: whoever steals the worker's token cannot simply ask for
#: every password. So "nothing is left" means: the lists are empty, and deleting the Secret answers 404.
MANAGED_KINDS: tuple[ManagedKind, ...] = (
    ManagedKind("v1", "Secret", "secrets", listable=False),
    ManagedKind("v1", "ConfigMap", "configmaps"),
    ManagedKind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ManagedKind("apps/v1", "Deployment", "deployments"),
    ManagedKind("v1", "Service", "services"),
    ManagedKind("networking.k8s.io/v1", "Ingress", "ingresses"),
)
