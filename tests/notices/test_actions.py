"""Telling once, whoever asks twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from portal.accounts.models import Membership, MembershipRole, User
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.notices import actions
from portal.notices.models import Mail, Notice


def tell(person, *, key="top-up:1", code="top_up_settled", **options):
    with transaction() as session:
        return actions.tell(
            session,
            customer_id=person.customer_id,
            code=code,
            parameters={"amount": 50_000},
            unique_key=key,
            now=clock.now(),
            **options,
        )


def count(session, table) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table))


def test_telling_makes_a_notice_and_a_mail_in_the_owners_language(ayu, session):
    assert tell(ayu) is True
    notice, mail = session.scalars(sa.select(Notice)).one(), session.scalars(sa.select(Mail)).one()
    assert (notice.code, notice.parameters, notice.read_at) == ("top_up_settled", {"amount": 50_000}, None)
    assert (mail.to_address, mail.language) == ("ayu@example.com", "en")
    assert mail.parameters["recipient"] == "Ayu Lestari"


def test_the_same_key_tells_nobody_twice(ayu, session):
    assert [tell(ayu), tell(ayu)] == [True, False]
    assert (count(session, Notice), count(session, Mail)) == (1, 1)


def test_parallel_tellings_of_one_happening_tell_once(portal, ayu, session):
    def tell_apart(_: int) -> bool:
        with portal.app_context():
            try:
                return tell(ayu)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(max_workers=8) as pool:
        told = list(pool.map(tell_apart, range(20)))
    assert sum(told) == 1
    assert (count(session, Notice), count(session, Mail)) == (1, 1)
    deliveries = sa.select(sa.func.count()).where(OutboxMessage.name == "notices.deliver")
    assert session.scalar(deliveries) == 1


def test_every_active_owner_is_mailed_and_no_member(ayu, budi, citra, session):
    with transaction() as writing:
        for person, role in ((budi, MembershipRole.OWNER), (citra, MembershipRole.MEMBER)):
            writing.add(Membership(user_id=person.user_id, customer_id=ayu.customer_id, role=role))
    tell(ayu)
    assert set(session.scalars(sa.select(Mail.to_address))) == {"ayu@example.com", "budi@example.com"}
    with transaction() as writing:
        writing.get_one(User, budi.user_id).active = False
    tell(ayu, key="top-up:2")
    assert count(session, Mail) == 3


def test_a_notice_may_come_without_a_mail(ayu, session):
    tell(ayu, mail=False)
    assert (count(session, Notice), count(session, Mail)) == (1, 0)


def test_a_rollback_tells_nobody(ayu, session):
    try:
        with transaction() as writing:
            actions.tell(
                writing,
                customer_id=ayu.customer_id,
                code="top_up_settled",
                parameters={},
                unique_key="lost",
                now=clock.now(),
            )
            raise RuntimeError
    except RuntimeError:
        pass
    assert (count(session, Notice), count(session, Mail)) == (0, 0)


def test_one_time_links_are_not_readable_in_the_database(portal, session):
    with transaction() as writing:
        actions.send_mail(
            writing,
            to_address="ayu@example.com",
            language="id",
            code="verify_email",
            parameters={},
            secret_parameters={"token": "a-very-secret-token"},
            unique_key="verify:1",
            now=clock.now(),
        )
    row = session.execute(sa.text("SELECT * FROM mail")).mappings().one()
    assert "a-very-secret-token" not in str(dict(row))


def test_reading_all_marks_only_ones_own(ayu, citra, session):
    tell(ayu, mail=False)
    tell(citra, key="top-up:2", mail=False)
    with transaction() as writing:
        assert actions.read_all(writing, customer_id=ayu.customer_id, now=clock.now()) == 1
    unread = sa.select(Notice.customer_id).where(Notice.read_at.is_(None))
    assert list(session.scalars(unread)) == [citra.customer_id]
