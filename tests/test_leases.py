"""A role is one process's at a time, by the database's clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import select, update

from flask_notify.database_clock import DatabaseClock
from flask_notify.leases import Lease, holder
from tests.apps import Site


def test_one_of_many_who_try_at_once_gets_the_role(site: Site) -> None:
    barrier, won = threading.Barrier(8), []

    def compete() -> None:
        with site.app.app_context():
            lease = Lease(site.notify.models)
            barrier.wait()
            if lease.take():
                won.append(lease.owner)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    with site.app.app_context():
        held = holder(site.notify.models)
    assert held is not None
    assert held.owner == won[0]


def test_who_has_it_renews_it_and_others_do_not_get_it(site: Site) -> None:
    with site.app.app_context():
        mine, other = Lease(site.notify.models, ttl=60), Lease(site.notify.models, ttl=60)

        assert [mine.take(), other.take(), mine.take(), other.take()] == [True, False, True, False]

        held = holder(site.notify.models)
    assert held is not None
    assert 0 <= held.seconds_ago < 5
    assert 50 < held.seconds_left <= 60.01


def test_another_takes_over_when_it_has_ended(site: Site) -> None:
    with site.app.app_context():
        mine, other = Lease(site.notify.models), Lease(site.notify.models)
        mine.take()
        end(site)

        assert [other.take(), mine.take()] == [True, False]


def end(site: Site) -> None:
    lease = site.notify.models.lease
    with site.db.engine.begin() as connection:
        connection.execute(update(lease).values(until=DatabaseClock() - 0.01))


def test_who_gives_it_up_leaves_it_to_the_next_at_once(site: Site) -> None:
    with site.app.app_context():
        mine, other = Lease(site.notify.models), Lease(site.notify.models)
        mine.take()

        mine.release()
        mine.release()

        assert other.take()
        mine.release()
        assert not mine.take()


def test_when_it_was_seen_last_stays_on_record(site: Site) -> None:
    with site.app.app_context():
        assert holder(site.notify.models) is None
        lease = Lease(site.notify.models)
        lease.take()
        lease.release()

        held = holder(site.notify.models)

    assert held is not None
    assert held.seconds_ago < 5
    assert held.seconds_left < 0


def test_roles_are_held_apart_also_where_the_users_are_in_a_bind(build: Callable[..., Site], tmp_path: object) -> None:
    binds = {"people": f"sqlite:///{tmp_path}/people.sqlite"}
    site = build(attributes={"__bind_key__": "people"}, SQLALCHEMY_BINDS=binds)
    with site.app.app_context():
        assert Lease(site.notify.models, "one").take()
        assert Lease(site.notify.models, "two").take()

        with site.db.engines["people"].connect() as connection:
            roles = connection.scalars(select(site.notify.models.lease.c.role)).all()
    assert sorted(roles) == ["one", "two"]
