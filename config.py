"""Every setting of the portal, once: its environment variable, type, default and meaning.

Values come from the environment, or from `.env` beside this file. A bad value stops the start with a
message that names the variable; production also refuses default secrets, debug and sandbox addresses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent
DEVELOPMENT_SECRET = "development-only-secret-key-not-for-production"  # noqa: S105 - refused in production
# A Fernet key anyone can read here: good enough for a laptop, refused in production.
DEVELOPMENT_ENCRYPTION_KEY = "ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0aW9uLWtleSE="
SANDBOX_SERVER_KEY = "SB-Mid-server-sandbox"  # our stand-in's: whoever reads this can sign a notification with it
BANK_ACCOUNT = re.compile(r"(?P<bank>[^;]+?)\s+(?P<number>\d[\d .-]{4,}\d)\s+a\.?\s?n\.?\s+(?P<holder>[^;]+)")
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1", ""}


class Settings(BaseSettings):
    """The portal's settings; read once per process by `settings()`."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", extra="ignore", env_ignore_empty=True)

    # --- the process -----------------------------------------------------------------------------------
    environment: Literal["development", "test", "production"] = Field(
        "development", description="development | test | production; production turns on every refusal below"
    )
    debug: bool = Field(False, description="Flask's debugger; never in production")
    secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), description="signs cookies and mailed links")
    encryption_keys: SecretStr = Field(
        SecretStr(DEVELOPMENT_ENCRYPTION_KEY),
        description="Fernet keys, comma-separated, newest first; the older ones only decrypt",
    )
    public_url: str = Field("http://127.0.0.1:8000", description="where browsers reach the portal")
    trusted_proxies: int = Field(0, ge=0, le=5, description="reverse proxies whose X-Forwarded-* are believed")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level written")
    administrators_need_second_factor: bool | None = Field(
        None, description="whether pages of administration ask for a second factor; empty: in production they do"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="bearer token for GET /metrics; empty: this machine only, in production nobody"
    )

    # --- engines ---------------------------------------------------------------------------------------
    database_url: str = Field("postgresql+psycopg://postgres@127.0.0.1/minispod", description="PostgreSQL 15 or later")
    database_pool_size: int = Field(8, ge=1, le=100, description="connections a process may hold")
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis 6.2 or later: queues, rate limits")

    # --- the business ----------------------------------------------------------------------------------
    brand_name: str = Field("MinisPod", description="the name on pages, mails and documents")
    legal_name: str = Field("PT MinisPod Nusantara", description="the seller on receipts and invoices")
    legal_address: str = Field("Jakarta, Indonesia", description="the seller's address on documents")
    legal_npwp: str = Field("", description="the seller's tax number on invoices; empty: not shown")
    support_email: str = Field("support@minispod.example", description="shown on help pages and mails")
    ppn_rate_percent: int = Field(12, ge=0, le=50, description="statutory PPN rate; 0: not a PKP, no PPN")
    ppn_base_numerator: int = Field(11, ge=1, description="DPP nilai lain = price x 11/12 (PMK 131/2024)")
    ppn_base_denominator: int = Field(12, ge=1, description="see ppn_base_numerator")
    top_up_min: int = Field(10_000, ge=1, description="smallest top-up, whole rupiah")
    top_up_max: int = Field(10_000_000, ge=1, description="largest top-up, whole rupiah")
    top_up_expiry_hours: int = Field(24, ge=1, le=168, description="how long a top-up stays payable")
    top_ups_open_max: int = Field(5, ge=1, description="unpaid top-ups a customer may hold at once")

    bank_accounts: str = Field(
        "", description="our accounts for transfers checked by hand, 'BCA 1234567890 a.n. PT X; …'; empty: not offered"
    )
    transfer_approval_limit: int = Field(
        5_000_000, ge=0, description="a bank transfer above this needs two administrators, whole rupiah"
    )

    # --- the life of a subscription -----------------------------------------------------------------------
    adjustment_limit: int = Field(
        500_000, ge=0, description="rupiah that one administrator may adjust alone, per customer in 24 hours"
    )
    grace_days: int = Field(7, ge=0, le=60, description="how long an unpaid app keeps running")
    data_kept_days: int = Field(30, ge=1, le=365, description="how long a suspended app's data is kept")
    last_warning_days: int = Field(3, ge=1, le=30, description="the last warning comes this long before data goes")
    refund_rule: Literal["pro_rata", "none"] = Field(
        "pro_rata", description="what cancelling at once gives back to the wallet: pro_rata | none"
    )
    price_notice_days: int = Field(30, ge=1, le=180, description="a new price waits this long, then for a renewal")
    quote_minutes: int = Field(15, ge=1, le=120, description="how long the quoted price of an upgrade holds")
    launch_hold_minutes: int = Field(30, ge=1, le=240, description="how long *pay and launch* may hold a slot")
    waitlist_offer_hours: int = Field(24, ge=1, le=168, description="how long a slot is held for who waited for it")
    resize_timeout_s: int = Field(600, ge=10, description="longest wait until an app runs with its new plan")

    # --- Midtrans --------------------------------------------------------------------------------------
    midtrans_server_key: SecretStr = Field(SecretStr(SANDBOX_SERVER_KEY), description="from the dashboard")
    midtrans_client_key: str = Field("SB-Mid-client-sandbox", description="from the dashboard; public")
    midtrans_merchant_id: str = Field("", description="refuses answers of another merchant; empty: not checked")
    midtrans_is_production: bool = Field(False, description="live money")
    midtrans_sandbox_allowed: bool = Field(
        False, description="a staging installation: production may run on Midtrans' sandbox, where nobody really pays"
    )
    midtrans_core_url: str = Field("", description="overrides the Core API address (sandbox stand-in)")
    midtrans_snap_url: str = Field("", description="overrides the Snap API address, with /snap/v1")
    midtrans_snap_js_url: str = Field("", description="overrides the address of snap.js")
    midtrans_timeout_s: float = Field(10.0, gt=0, le=60, description="longest wait for one answer")
    reconcile_calls_per_s: int = Field(5, ge=0, le=100, description="questions of the daily comparison; 0: no limit")

    # --- Kubernetes ------------------------------------------------------------------------------------
    kubeconfig: str = Field("", description="path of the worker's kubeconfig; empty: in-cluster account")
    kubeconfig_data: SecretStr = Field(SecretStr(""), description="the kubeconfig's text, where files are not")
    cluster_timeout_s: float = Field(10.0, gt=0, le=60, description="longest wait for one answer")
    cluster_ingress_class: str = Field("nginx", description="ingressClassName of every app")
    cluster_ingress_namespace: str = Field("ingress-nginx", description="whose pods may reach the apps")
    cluster_issuer: str = Field("letsencrypt", description="cert-manager ClusterIssuer; empty: none")
    cluster_storage_class: str = Field("", description="StorageClass of volumes; empty: the cluster's default")
    cluster_cidrs: str = Field("", description="the cluster's own networks, comma-separated, apps never reach")
    apps_domain: str = Field("apps.localhost", description="apps live at {name}.{apps_domain}")
    apps_public_scheme: Literal["http", "https"] = Field("https", description="scheme of an app's address")
    apps_public_port: int = Field(0, ge=0, le=65535, description="port of an app's address; 0: the usual one")
    apps_probe_address: str = Field(
        "", description="host:port dialled to probe an app; empty: its own address; none: believe the cluster"
    )
    provision_timeout_s: int = Field(300, ge=10, description="longest wait until a new app is ready")
    update_timeout_s: int = Field(900, ge=10, description="longest wait until an app runs its new version")
    node_agent_token: SecretStr = Field(
        SecretStr(""), description="signs the heartbeats of the agents on the nodes; empty: none are accepted"
    )
    provision_check_interval_s: int = Field(3, ge=1, description="pause between looks at a roll-out")

    # --- domains of customers -----------------------------------------------------------------------------
    dns_resolvers: str = Field("", description="name servers to ask, host[:port], comma-separated; empty: the system's")
    dns_timeout_s: float = Field(3.0, gt=0, le=15, description="longest wait for one answer of the DNS")
    domains_addresses: str = Field(
        "", description="public addresses of the ingress, comma-separated: for bare domains, which allow no CNAME"
    )
    domain_grace_days: int = Field(3, ge=1, le=30, description="a domain whose records are gone stays this long")

    # --- mail ------------------------------------------------------------------------------------------
    smtp_url: SecretStr = Field(SecretStr("smtp://127.0.0.1:8925"), description="smtp[s]://user:pass@host:port")
    mail_from: str = Field("MinisPod <no-reply@minispod.example>", description="sender of every mail")
    operator_email: str = Field("", description="who hears of differences and alerts; empty: log only")
    operator_language: Literal["id", "en"] = Field("en", description="language of the operator's mails: id | en")

    # --- alerts ----------------------------------------------------------------------------------------
    alert_emails: str = Field(
        "", description="who hears of alerts, comma-separated; empty: OPERATOR_EMAIL, without it every administrator"
    )
    alert_webhook_url: str = Field("", description="where alerts are posted as signed JSON; empty: nowhere")
    alert_webhook_secret: SecretStr = Field(SecretStr(""), description="signs what is posted there; 16 characters up")
    database_volume_gib: int = Field(0, ge=0, description="size of the database's volume; 0: unknown, no alert")

    # --- sandbox ---------------------------------------------------------------------------------------
    sandbox: bool = Field(False, description="shows the sandbox ribbon and its links")
    sandbox_url: str = Field("", description="where the sandbox's own pages are")

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def secure_cookies(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @model_validator(mode="after")
    def _normalise_database_driver(self) -> Self:
        for prefix in ("postgres://", "postgresql://"):
            if self.database_url.startswith(prefix):
                self.database_url = "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        if not self.database_url.startswith("postgresql+psycopg://"):
            raise ValueError("DATABASE_URL must be a postgresql:// address")
        return self

    @field_validator("bank_accounts")
    @classmethod
    def _refuse_unreadable_accounts(cls, text: str) -> str:
        """A customer pays to what is written here: better no start than half an account number."""
        for account in filter(None, (part.strip() for part in text.split(";"))):
            if not BANK_ACCOUNT.fullmatch(account):
                raise ValueError(f"write each account as 'BCA 1234567890 a.n. PT X', separated by ';': {account!r}")
        return text.strip()

    @model_validator(mode="after")
    def _decide_about_the_second_factor(self) -> Self:
        if self.administrators_need_second_factor is None:
            self.administrators_need_second_factor = self.production
        return self

    @model_validator(mode="after")
    def _refuse_mixed_midtrans_environments(self) -> Self:
        """A live key in sandbox mode, or the reverse, would move money that nobody expects."""
        looks_sandbox = self.midtrans_server_key.get_secret_value().startswith("SB-")
        if self.midtrans_is_production and looks_sandbox:
            raise ValueError("MIDTRANS_IS_PRODUCTION is on but MIDTRANS_SERVER_KEY is a sandbox key (SB-…)")
        overridden = (self.midtrans_core_url, self.midtrans_snap_url, self.midtrans_snap_js_url)
        if self.midtrans_is_production and any(overridden):
            raise ValueError("MIDTRANS_IS_PRODUCTION is on but a MIDTRANS_*_URL points at a sandbox")
        return self

    @model_validator(mode="after")
    def _refuse_unsigned_alerts(self) -> Self:
        """Whoever gets an alert must be able to tell that it is ours."""
        if not self.alert_webhook_url:
            return self
        address = urlsplit(self.alert_webhook_url)
        if address.scheme not in ("http", "https") or not address.hostname or address.username:
            raise ValueError("ALERT_WEBHOOK_URL must be http(s)://host/… without a user")
        if len(self.alert_webhook_secret.get_secret_value()) < 16:
            raise ValueError("ALERT_WEBHOOK_URL is set but ALERT_WEBHOOK_SECRET is shorter than 16 characters")
        return self

    @model_validator(mode="after")
    def _refuse_in_production(self) -> Self:
        if not self.production:
            return self
        refusals = {
            "SECRET_KEY is the default": self.secret_key.get_secret_value() == DEVELOPMENT_SECRET,
            "SECRET_KEY is shorter than 32 characters": len(self.secret_key.get_secret_value()) < 32,
            "ENCRYPTION_KEYS is the default": DEVELOPMENT_ENCRYPTION_KEY in self.encryption_keys.get_secret_value(),
            "MIDTRANS_SERVER_KEY is the default": self.midtrans_server_key.get_secret_value() == SANDBOX_SERVER_KEY,
            "MIDTRANS_IS_PRODUCTION is off (a staging installation says MIDTRANS_SANDBOX_ALLOWED=true)": not (
                self.midtrans_is_production or self.midtrans_sandbox_allowed
            ),
            "NODE_AGENT_TOKEN is shorter than 32 characters": 0 < len(self.node_agent_token.get_secret_value()) < 32,
            "DEBUG is on": self.debug,
            "SANDBOX is on": self.sandbox,
            "PUBLIC_URL is not https": not self.secure_cookies,
            "PUBLIC_URL is a loopback address": urlsplit(self.public_url).hostname in LOOPBACK_HOSTS,
            "a MIDTRANS_*_URL override is set": bool(
                self.midtrans_core_url or self.midtrans_snap_url or self.midtrans_snap_js_url
            ),
        }
        found = [reason for reason, refused in refusals.items() if refused]
        if found:
            raise ValueError("refused in production: " + "; ".join(found))
        return self


class BadSettings(SystemExit):
    """Stops the process with one readable message per bad setting; never prints a secret's value."""


def load() -> Settings:
    """Reads the environment; raises `BadSettings` naming each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {_variable(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise BadSettings("The portal cannot start with these settings:\n" + "\n".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in location).upper()}: " if location else ""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The one settings object of this process."""
    return load()
