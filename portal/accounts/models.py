"""Users, their sessions, second factors and mailed links; customers and memberships.

Wallets, payments, subscriptions, invoices and namespaces belong to a customer, never to a user.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, Sequence, String, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.crypto import EncryptedText
from portal.core.db import Base, Identified


class Role(StrEnum):
    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"


class CustomerKind(StrEnum):
    PERSON = "PERSON"
    ORGANISATION = "ORGANISATION"


class MembershipRole(StrEnum):
    OWNER = "OWNER"
    MEMBER = "MEMBER"


class LinkPurpose(StrEnum):
    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - a purpose, not a password


class User(UserMixin, Identified, Base):
    """A person who signs in. `email` is stored lower-case; `is_active` off signs them out at once.

    The second factor stands here, so that the row that knows who asks also knows whether they have one. It counts
    from `second_factor_at` on; a secret without it waits for its first code. `second_factor_step` is the half minute
    of the last code used.
    """

    __tablename__ = "user_account"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint(
            "second_factor_at IS NULL OR (second_factor_secret IS NOT NULL AND second_factor_step IS NOT NULL)",
            name="second_factor_confirmed",
        ),
        Index("ix_user_account_created_at", "created_at", "id"),
        Index(
            "ix_user_account_name_prefix",
            func.lower(text("name")).label("lowered"),
            postgresql_ops={"lowered": "text_pattern_ops"},
        ),
        Index("ix_user_account_email_prefix", "email", postgresql_ops={"email": "text_pattern_ops"}),
    )

    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20), default=Role.USER)
    language: Mapped[str] = mapped_column(String(5), default="id")
    active: Mapped[bool] = mapped_column(default=True)
    email_verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    second_factor_secret: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    second_factor_at: Mapped[datetime | None]
    second_factor_step: Mapped[int | None]

    memberships: Mapped[list[Membership]] = relationship(back_populates="user", lazy="raise")

    @property
    def is_active(self) -> bool:
        return self.active

    @property
    def is_administrator(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def has_second_factor(self) -> bool:
        return self.second_factor_at is not None


Index("ix_user_account_name", User.name, User.id)  # a list's sort
customer_number = Sequence("customer_number", start=1001, metadata=Base.metadata)


class Customer(Identified, Base):
    """Who owns money and apps. `number` names the Kubernetes namespace: `user-{number}`."""

    __tablename__ = "customer"
    __table_args__ = (
        Index("ix_customer_billing_email", "billing_email", postgresql_ops={"billing_email": "varchar_pattern_ops"}),
        Index(
            "ix_customer_name_prefix",
            func.lower(text("name")).label("lowered"),
            postgresql_ops={"lowered": "text_pattern_ops"},
        ),
    )

    number: Mapped[int] = mapped_column(customer_number, server_default=customer_number.next_value(), unique=True)
    kind: Mapped[str] = mapped_column(String(20), default=CustomerKind.PERSON)
    name: Mapped[str] = mapped_column(String(100))
    billing_email: Mapped[str] = mapped_column(String(254))
    billing_address: Mapped[str | None] = mapped_column(String(300))  # of an organisation, like its tax number
    npwp: Mapped[str | None] = mapped_column(String(16))  # digits alone
    created_at: Mapped[datetime]

    memberships: Mapped[list[Membership]] = relationship(back_populates="customer", lazy="raise")

    @property
    def namespace(self) -> str:
        return f"user-{self.number}"


class Membership(Base):
    """A user's part in a customer."""

    __tablename__ = "membership"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(20), default=MembershipRole.OWNER)

    user: Mapped[User] = relationship(back_populates="memberships", lazy="raise")
    customer: Mapped[Customer] = relationship(back_populates="memberships", lazy="raise")


class UserSession(Identified, Base):
    """One signed-in browser. The cookie holds a random token; only its digest is stored."""

    __tablename__ = "user_session"
    __table_args__ = (
        Index("ix_user_session_user_id", "user_id"),
        CheckConstraint("num_nonnulls(views_user_id, views_customer_id, views_until) IN (0, 3)", name="views"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    ip_address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    views_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # see `viewing`
    views_customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    views_until: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise", foreign_keys=user_id)
    customer: Mapped[Customer | None] = relationship(lazy="raise", foreign_keys=customer_id)
    views_user: Mapped[User | None] = relationship(lazy="raise", foreign_keys=views_user_id)
    views_customer: Mapped[Customer | None] = relationship(lazy="raise", foreign_keys=views_customer_id)


class PendingSignIn(Identified, Base):
    """A right password whose code is still to come. Not a session: it opens one page, for minutes and a few tries."""

    __tablename__ = "pending_sign_in"
    __table_args__ = (Index("ix_pending_sign_in_user_id", "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    remember: Mapped[bool]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class RecoveryCode(Identified, Base):
    """A code that stands in for the phone once. Only its digest is stored; new codes replace the old ones."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ix_recovery_code_user_id", "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MailedLink(Identified, Base):
    """A single-use link sent by mail: e-mail verification, password reset."""

    __tablename__ = "mailed_link"
    __table_args__ = (Index("ix_mailed_link_user_id", "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    purpose: Mapped[str] = mapped_column(String(20))
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
