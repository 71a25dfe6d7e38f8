"""The schema of an app template: one YAML file in `apps/` describes one service that customers can buy.

`apps/README.md` explains every field to the person who writes such a file. The models are frozen and refuse
unknown keys; what needs two fields at once is checked in `template_checks`. Reading files is the business of
`template_files`.
"""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=32)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\s:]*$")]
SubPath = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
Positive = Annotated[int, Field(gt=0, le=1_000_000_000)]
NotNegative = Annotated[int, Field(ge=0, le=1_000_000_000)]
Percent = Annotated[int, Field(ge=1, le=100)]
#: A version tag or a digest is required, and `latest` is refused: what was tested is what runs.
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]*(:[\w][\w.-]*)(@sha256:[0-9a-f]{64})?$")]


def major_version(image: str) -> str:
    """`11` of `mariadb:11.8.8`; empty when the tag does not begin with a number."""
    found = re.match(r"v?(\d+)", image.partition("@")[0].rpartition(":")[2])
    return found.group(1) if found else ""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Localized(Frozen):
    """The same text in both languages of the portal."""

    en: Text
    id: Text


class Category(Frozen):
    """A shelf of the catalog; the order in the file is the order on the page."""

    slug: Slug
    name: Localized
    description: Localized


class PlanType(StrEnum):
    FREE = "FREE"
    BASIC = "BASIC"
    PRO = "PRO"
    PREMIUM = "PREMIUM"
    ENTERPRISE = "ENTERPRISE"


class Plan(Frozen):
    """What a customer buys: prices in whole rupiah, resources of the whole pod, slots for all customers."""

    type: Annotated[PlanType, Field(strict=False)]
    monthly_price: NotNegative
    yearly_price: NotNegative
    setup_fee: NotNegative = 0
    cpu_millicores: Positive
    memory_mib: Positive
    storage_gib: Positive
    bandwidth_gib: Positive
    slots_total: NotNegative
    max_instances: Positive = 1
    max_domains: NotNegative = 1
    trial_days: Annotated[int, Field(ge=0, le=90)] = 0
    popular: bool = False
    features: tuple[Localized, ...] = Field(min_length=1, strict=False)


class Minimum(Frozen):
    """The least the app runs with; every plan offers at least this."""

    cpu_millicores: Positive
    memory_mib: Positive
    storage_gib: Positive


class GeneratedSecret(Frozen):
    """A value made once per instance. `length` counts characters, for base64 the bytes before encoding."""

    kind: Literal["password", "hex", "base64", "uuid"]
    length: Annotated[int, Field(ge=8, le=128)] = 32


class Credential(Frozen):
    """A line below `sign_in` on the instance page; a hidden value is shown on demand only."""

    label: Localized
    value: Text
    hidden: bool = False


class HttpCheck(Frozen):
    path: Annotated[str, StringConstraints(pattern=r"^/\S*$")]
    #: For apps that refuse or redirect a Host, or a missing X-Forwarded-Proto, that is not their own.
    headers: dict[Text, Text] = Field(default_factory=dict)


class Probe(Frozen):
    """Exactly one of `http`, `tcp` and `command`."""

    http: HttpCheck | None = None
    tcp: Literal[True] | None = None
    command: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] | None = None
    period_s: Positive = 10
    timeout_s: Positive = 5
    failures: Positive = 3

    @model_validator(mode="after")
    def _one_kind(self) -> "Probe":
        if sum(kind is not None for kind in (self.http, self.tcp, self.command)) != 1:
            raise ValueError("exactly one of http, tcp and command is required")
        return self


#: What Pod Security's `baseline` level lets a container add.
#: Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
Capability = Literal[
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
]  # fmt: skip


class Root(Frozen):
    """Why this image cannot start as an ordinary user, and the capabilities it needs to step down itself."""

    reason: Text
    capabilities: tuple[Capability, ...] = Field(default=(), strict=False)


class Security(Frozen):
    """Either an ordinary user or, with a reason, root."""

    run_as_user: Positive | None = None
    run_as_group: NotNegative | None = None
    root: Root | None = None

    @model_validator(mode="after")
    def _user_or_root(self) -> "Security":
        if (self.run_as_user is None) == (self.root is None):
            raise ValueError("exactly one of run_as_user and root is required")
        if self.run_as_user is not None and self.run_as_group is None:
            raise ValueError("run_as_group is required with run_as_user")
        return self


class Mount(Frozen):
    """A directory of the instance's one volume, seen at `path`."""

    path: AbsolutePath
    sub_path: SubPath


class Share(Frozen):
    """This container's part of the plan, in percent; the shares of all containers add up to 100."""

    cpu: Percent
    memory: Percent


class Container(Frozen):
    """One container of the pod. A sidecar starts before the app and stops after it, as a database must."""

    name: Slug
    image: Image
    sidecar: bool = False
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    command: tuple[Text, ...] = Field(default=(), strict=False)
    args: tuple[Text, ...] = Field(default=(), strict=False)
    env: dict[EnvName, str] = Field(default_factory=dict)
    mounts: tuple[Mount, ...] = Field(default=(), strict=False)
    scratch: tuple[AbsolutePath, ...] = Field(default=(), strict=False)
    readiness: Probe
    liveness: Probe | None = None
    startup_s: Positive = 240
    security: Security
    share: Share = Share(cpu=100, memory=100)


class AppTemplate(Frozen):
    """One service of the catalog: what the page says, what is sold, and how it runs."""

    slug: Slug
    name: Text
    category: Slug
    tags: tuple[Slug, ...] = Field(min_length=1, strict=False)
    icon: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.svg$")]
    featured: bool = False
    version: Text
    #: Beginnings of the versions that this one can follow directly; empty: any older one.
    updates_from: tuple[Text, ...] = Field(default=(), strict=False)
    licence: Text
    homepage: Url
    documentation: Url
    tagline: Localized
    description: Localized
    source: tuple[Text, ...] = Field(min_length=1, strict=False)
    minimum: Minimum
    secrets: dict[SecretName, GeneratedSecret] = Field(default_factory=dict)
    sign_in: Localized
    credentials: tuple[Credential, ...] = Field(default=(), strict=False)
    first_steps: tuple[Localized, ...] = Field(min_length=1, strict=False)
    fs_group: Positive
    containers: tuple[Container, ...] = Field(min_length=1, strict=False)
    plans: tuple[Plan, ...] = Field(min_length=1, strict=False)

    @property
    def main(self) -> Container:
        """The container that serves the web page; `template_checks` sees to it that there is exactly one."""
        return next(container for container in self.containers if not container.sidecar)

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(container.image for container in self.containers)

    def plan(self, plan_type: PlanType) -> Plan:
        """KeyError when the service is not sold in this plan."""
        for plan in self.plans:
            if plan.type is plan_type:
                return plan
        raise KeyError(plan_type)
