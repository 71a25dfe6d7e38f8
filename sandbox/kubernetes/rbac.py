"""Who asks, and what they may do.

Three accounts exist from the start. `portal-worker` has the shortest ClusterRole that a portal can live on, so a call
that would be refused on a real cluster is refused here too; `node-agent` reads of nodes what an agent on them may;
`admin` may do everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .kinds import Address
from .refusals import Refusal

PORTAL_TOKEN = "sandbox-portal-worker"
ADMIN_TOKEN = "sandbox-admin"
AGENT_TOKEN = "sandbox-node-agent"
Rule = tuple[str, str, str]  # api group, resources, verbs; space-separated

PORTAL_RULES: list[Rule] = [
    ("", "namespaces", "get list create patch delete"),
    ("", "secrets", "create patch delete"),
    (
        "",
        "configmaps serviceaccounts services persistentvolumeclaims resourcequotas limitranges",
        "get list create patch delete",
    ),
    ("", "pods", "get list watch delete"),
    ("", "pods/log", "get"),
    ("", "pods/eviction", "create"),
    ("", "events", "list"),
    ("", "nodes", "get list watch patch"),
    ("apps", "deployments", "get list watch create patch delete deletecollection"),
    ("apps", "deployments/scale", "get patch"),
    ("apps", "replicasets", "list"),
    ("networking.k8s.io", "ingresses networkpolicies", "get list create patch delete"),
    ("", "persistentvolumes", "list"),
    ("storage.k8s.io", "storageclasses", "get list"),
    ("coordination.k8s.io", "leases", "get list"),
    ("metrics.k8s.io", "nodes pods", "get list"),
]
AGENT_RULES: list[Rule] = [("", "nodes", "get"), ("", "nodes/stats", "get")]
_EVERYTHING = [("*", "*", "*")]
_REVIEWS = [
    ("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
    ("authentication.k8s.io", "selfsubjectreviews", "create"),
]


@dataclass(frozen=True)
class Account:
    """A caller: its name as the server writes it, and its rules."""

    name: str
    rules: tuple[Rule, ...] = ()

    def may(self, verb: str, group: str, resource: str) -> bool:
        return any(
            group_of in ("*", group) and _names(resources, resource) and _names(verbs, verb)
            for group_of, resources, verbs in [*self.rules, *(_REVIEWS if self.rules else [])]
        )


def _names(listed: str, wanted: str) -> bool:
    return listed == "*" or wanted in listed.split()


def service_account(namespace: str, name: str, rules: list[Rule]) -> Account:
    return Account(f"system:serviceaccount:{namespace}:{name}", tuple(rules))


ANONYMOUS = Account("system:anonymous")


def initial_accounts() -> dict[str, Account]:
    """Accounts by their bearer token."""
    return {
        PORTAL_TOKEN: service_account("portal-system", "portal-worker", PORTAL_RULES),
        AGENT_TOKEN: service_account("portal-system", "node-agent", AGENT_RULES),
        ADMIN_TOKEN: Account("admin", tuple(_EVERYTHING)),
    }


def authenticate(accounts: dict[str, Account], header: str) -> Account:
    """The account of an Authorization header; nobody at all is `system:anonymous`, a wrong token is 401."""
    if not header:
        return ANONYMOUS
    account = accounts.get(header.removeprefix("Bearer ").strip())
    if account is None:
        raise Refusal(401, "Unauthorized", "Unauthorized")
    return account


def authorize(account: Account, verb: str, address: Address) -> None:
    """403 in the server's words when the account lacks the verb."""
    resource = address.plural + (f"/{address.subresource}" if address.subresource else "")
    if not account.may(verb, address.group, resource):
        raise _forbidden(account, verb, address, resource)


def _forbidden(account: Account, verb: str, address: Address, resource: str) -> Refusal:
    qualified = f"{address.plural}.{address.group}" if address.group else address.plural
    name = "" if verb == "create" and not address.subresource and not address.name else address.name
    namespace = address.namespace or (name if address.plural == "namespaces" else "")
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    subject = f'{qualified} "{name}"' if name else qualified
    text = f'{subject} is forbidden: User "{account.name}" cannot {verb} resource "{resource}" '
    found = {"name": name, "group": address.group, "kind": address.plural}
    details: dict[str, Any] = {key: value for key, value in found.items() if value}
    return Refusal(403, "Forbidden", text + f'in API group "{address.group}" {scope}', details=details)


def forbidden_path(account: Account, verb: str, path: str) -> Refusal:
    return Refusal(403, "Forbidden", f'forbidden: User "{account.name}" cannot {verb} path "{path}"', details={})
