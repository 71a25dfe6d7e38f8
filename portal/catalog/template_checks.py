"""What must hold between the fields of an app template. Pure; each finding says where it is."""

from collections.abc import Iterator

from portal.catalog.app_templates import AppTemplate, Container, Plan, major_version
from portal.catalog.placeholders import secrets_in, unknown_placeholders

Location = tuple[str | int, ...]
Finding = tuple[Location, str]

RESOURCES = ("cpu_millicores", "memory_mib", "storage_gib")


def findings(template: AppTemplate) -> Iterator[Finding]:
    """Every broken rule with its place in the file; nothing for a sound template."""
    yield from _main_container(template)
    yield from _shares(template)
    yield from _unique_names(template)
    yield from _images(template)
    yield from _probed_ports(template)
    yield from _plans(template)
    yield from _placeholders(template)
    yield from _secrets_outside_env(template)
    yield from _unused_secrets(template)


def _main_container(template: AppTemplate) -> Iterator[Finding]:
    mains = [index for index, container in enumerate(template.containers) if not container.sidecar]
    if len(mains) != 1:
        yield ("containers",), f"exactly one container is not a sidecar, found {len(mains)}"
    for index in mains:
        if template.containers[index].port is None:
            yield ("containers", index), "the main container needs a port"


def _shares(template: AppTemplate) -> Iterator[Finding]:
    for resource in ("cpu", "memory"):
        total = sum(getattr(container.share, resource) for container in template.containers)
        if total != 100:
            yield ("containers",), f"the containers' {resource} shares add up to {total}, not to 100"


def _unique_names(template: AppTemplate) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, container in enumerate(template.containers):
        if container.name in seen:
            yield ("containers", index, "name"), f"container name {container.name} is used twice"
        seen.add(container.name)


def _images(template: AppTemplate) -> Iterator[Finding]:
    for index, container in enumerate(template.containers):
        if container.image.partition("@")[0].endswith(":latest"):
            yield ("containers", index, "image"), "pin a version: `latest` is another program next week"
        if container.sidecar and not major_version(container.image):
            yield ("containers", index, "image"), "a sidecar's tag begins with its major version, which updates keep"


def _probed_ports(template: AppTemplate) -> Iterator[Finding]:
    for index, container in enumerate(template.containers):
        for name in ("readiness", "liveness"):
            probe = getattr(container, name)
            if probe and not probe.command and container.port is None:
                yield ("containers", index, name), "an http or tcp probe needs the container's port"


def _plans(template: AppTemplate) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, plan in enumerate(template.plans):
        if plan.type in seen:
            yield ("plans", index, "type"), f"plan {plan.type} is offered twice"
        seen.add(plan.type)
        yield from _plan_resources(template, index, plan)
        yield from _plan_prices(index, plan)


def _plan_resources(template: AppTemplate, index: int, plan: Plan) -> Iterator[Finding]:
    for resource in RESOURCES:
        offered, needed = getattr(plan, resource), getattr(template.minimum, resource)
        if offered < needed:
            yield ("plans", index, resource), f"{plan.type} offers {offered}, the minimum is {needed}"


def _plan_prices(index: int, plan: Plan) -> Iterator[Finding]:
    if plan.type == "FREE" and (plan.monthly_price or plan.yearly_price or plan.setup_fee):
        yield ("plans", index, "monthly_price"), "a FREE plan costs nothing"
    if plan.type != "FREE" and not plan.monthly_price:
        yield ("plans", index, "monthly_price"), "only a FREE plan costs nothing"
    if plan.yearly_price > 12 * plan.monthly_price:
        yield ("plans", index, "yearly_price"), "a year costs more than twelve months"
    if plan.trial_days and not plan.monthly_price:
        yield ("plans", index, "trial_days"), "what is free needs no trial"


def _placeholders(template: AppTemplate) -> Iterator[Finding]:
    for location, text in _texts(template):
        for name in unknown_placeholders(text, template.secrets):
            yield location, f"unknown placeholder {{{{ {name} }}}}"


def _texts(template: AppTemplate) -> Iterator[tuple[Location, str]]:
    for index, container in enumerate(template.containers):
        yield from _container_texts(("containers", index), container)
    for index, credential in enumerate(template.credentials):
        yield ("credentials", index, "value"), credential.value


def _container_texts(at: Location, container: Container) -> Iterator[tuple[Location, str]]:
    for name, value in container.env.items():
        yield (*at, "env", name), value
    yield from _open_texts(at, container)


def _open_texts(at: Location, container: Container) -> Iterator[tuple[Location, str]]:
    """Texts that stand in the Deployment itself, where anyone who may list pods can read them."""
    for field in ("command", "args"):
        for index, text in enumerate(getattr(container, field)):
            yield (*at, field, index), text
    for probe_name in ("readiness", "liveness"):
        probe = getattr(container, probe_name)
        for name, value in probe.http.headers.items() if probe and probe.http else ():
            yield (*at, probe_name, "http", "headers", name), value
        for index, text in enumerate(probe.command or () if probe else ()):
            yield (*at, probe_name, "command", index), text


def _secrets_outside_env(template: AppTemplate) -> Iterator[Finding]:
    for index, container in enumerate(template.containers):
        for location, text in _open_texts(("containers", index), container):
            if secrets_in(text):
                yield location, "a secret may stand in env only"


def _unused_secrets(template: AppTemplate) -> Iterator[Finding]:
    used = {name for _, text in _texts(template) for name in secrets_in(text)}
    for name in template.secrets:
        if name not in used:
            yield ("secrets", name), f"secret {name} is used nowhere"
