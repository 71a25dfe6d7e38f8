"""The wanted state of the cluster, read from the database and the settings: the input of the manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.instances.apps import app_template
from portal.instances.models import DomainStatus, Instance, InstanceDomain, InstanceVariable, WantedState
from portal.provisioning.manifests import (
    ClusterSettings,
    InstanceSpec,
    NamespaceSpec,
    instance_manifests,
    namespace_manifests,
)


def host_of(name: str) -> str:
    """Where an instance of that name answers, without scheme and port."""
    return f"{name}.{settings().apps_domain}"


def address_of(name: str) -> str:
    """The public address of an instance of that name, as a browser needs it."""
    options = settings()
    port = f":{options.apps_public_port}" if options.apps_public_port else ""
    return f"{options.apps_public_scheme}://{host_of(name)}{port}"


def manifests(session: Session, instance: Instance, *, secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Everything the cluster should have for the instance, its customer's namespace included, in apply order.

    What is rolled out and what drift is measured by are this one list. Raises `UnknownApp`.
    """
    options = cluster_settings()
    customer = session.get_one(Customer, instance.customer_id)
    spec = instance_spec(
        instance,
        customer=customer,
        secrets=secrets,
        env=_variables(session, instance),
        domains=_domains(session, instance),
    )
    return [
        *namespace_manifests(namespace_spec(session, customer), options),
        *instance_manifests(spec, app_template(instance.service_slug), options),
    ]


def _variables(session: Session, instance: Instance) -> dict[str, str]:
    """What the customer set, decrypted."""
    statement = select(InstanceVariable).where(InstanceVariable.instance_id == instance.id)
    return {variable.name: variable.value for variable in session.scalars(statement)}


def _domains(session: Session, instance: Instance) -> Sequence[str]:
    """The customer's own hosts that are proved to be theirs."""
    proved = (InstanceDomain.instance_id == instance.id, InstanceDomain.status == DomainStatus.VERIFIED)
    return session.scalars(select(InstanceDomain.host).where(*proved).order_by(InstanceDomain.host)).all()


def instance_spec(
    instance: Instance,
    *,
    customer: Customer,
    secrets: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
) -> InstanceSpec:
    """The instance as the cluster should have it."""
    return InstanceSpec(
        id=instance.id,
        customer_id=instance.customer_id,
        customer_email=customer.billing_email,
        service=instance.service_slug,
        name=instance.name,
        namespace=instance.namespace,
        host=host_of(instance.name),
        url=address_of(instance.name),
        replicas=replicas_of(instance),
        cpu_millicores=instance.cpu_millicores,
        memory_mib=instance.memory_mib,
        storage_gib=instance.storage_gib,
        secrets=secrets,
        env=env or {},
        images=instance.images,
        domains=tuple(domains),
        restarted_at=instance.restarted_at,
    )


def replicas_of(instance: Instance) -> int:
    """1 when it should run, else 0: always explicit, so that resuming forgets nothing."""
    return 1 if instance.wanted == WantedState.RUNNING else 0


def namespace_spec(session: Session, customer: Customer) -> NamespaceSpec:
    """The customer's namespace with room for every instance that may still hold something there, for one that is
    being resized in both sizes."""
    former_cpu = func.coalesce(Instance.resized_from_cpu_millicores, 0)
    former_memory = func.coalesce(Instance.resized_from_memory_mib, 0)
    sums = (
        func.count(),
        func.coalesce(func.sum(Instance.cpu_millicores + former_cpu), 0),
        func.coalesce(func.sum(Instance.memory_mib + former_memory), 0),
        func.coalesce(func.sum(Instance.storage_gib), 0),
    )
    held = select(*sums).where(Instance.customer_id == customer.id, Instance.cleaned_up_at.is_(None))
    count, cpu_millicores, memory_mib, storage_gib = session.execute(held).one()
    return NamespaceSpec(
        customer_id=customer.id,
        namespace=customer.namespace,
        instances=count,
        cpu_millicores=int(cpu_millicores),
        memory_mib=int(memory_mib),
        storage_gib=int(storage_gib),
    )


def cluster_settings() -> ClusterSettings:
    """What the operator's settings say about the cluster."""
    options = settings()
    cidrs = tuple(part.strip() for part in options.cluster_cidrs.split(",") if part.strip())
    return ClusterSettings(
        apps_domain=options.apps_domain,
        ingress_class=options.cluster_ingress_class,
        ingress_namespace=options.cluster_ingress_namespace,
        issuer=options.cluster_issuer or None,
        tls=options.apps_public_scheme == "https",
        storage_class=options.cluster_storage_class,
        cluster_cidrs=cidrs,
    )
