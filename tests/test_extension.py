"""Setting the extension up, and the errors that say how to."""

from __future__ import annotations

import re
from types import new_class
from typing import Any

import pytest
from flask import Flask
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, declarative_base, mapped_column

from flask_notify import Notify, RecipientMixin, current_notify
from flask_notify.config import SETTINGS
from flask_notify.errors import ConfigurationError
from tests.apps import Site, make_app

MEMORY = "sqlite://"


def make_user(db: SQLAlchemy, name: str = "User", **attributes: Any) -> Any:
    columns = {"__tablename__": name.lower(), "id": Column(Integer, primary_key=True)} | attributes
    return new_class(name, (RecipientMixin, UserMixin, db.Model), exec_body=lambda body: body.update(columns))


def make_bare_app(**config: Any) -> Flask:
    app = Flask("bare")
    app.config.update(SQLALCHEMY_DATABASE_URI=MEMORY, SECRET_KEY="x", **config)
    return app


def test_the_extension_is_adopted_in_fifteen_lines() -> None:
    from flask_login import LoginManager  # 1

    db = SQLAlchemy()  # 2
    notify = Notify(db=db)  # 3

    class User(RecipientMixin, UserMixin, db.Model):  # type: ignore[name-defined,misc]  # 4
        id: Mapped[int] = mapped_column(primary_key=True)

    app = make_bare_app()
    db.init_app(app)  # 5
    LoginManager(app).user_loader(lambda key: db.session.get(User, int(key)))  # 6
    notify.init_app(app)  # 7

    with app.app_context():
        db.create_all()
        user = User()
        db.session.add(user)
        user.add_notification("x", 1)  # 8
        db.session.commit()  # 9

        assert [notification.get_data() for notification in user.notifications] == [1]
        assert current_notify.Inbox is notify.Inbox


def test_notify_takes_the_application_at_once() -> None:
    app = make_bare_app()
    db = SQLAlchemy(app)
    make_user(db)

    notify = Notify(app)

    assert notify.db is db
    assert notify.Notification.__tablename__ == "notify_notification"


@pytest.mark.parametrize(
    "name,wrong",
    [
        ("NOTIFY_URL_PREFIX", "live"),
        ("NOTIFY_URL_PREFIX", "/live/"),
        ("NOTIFY_URL_PREFIX", None),
        ("NOTIFY_POLL_INTERVAL", -1),
        ("NOTIFY_POLL_INTERVAL", "10"),
        ("NOTIFY_POLL_INTERVAL", float("nan")),
        ("NOTIFY_FAST_POLL", "yes"),
        ("NOTIFY_RECHECK_INTERVAL", 0),
        ("NOTIFY_TOMBSTONE_AGE", float("inf")),
        ("NOTIFY_MAX_PAYLOAD", 1.5),
        ("NOTIFY_MAX_PAYLOAD", True),
        ("NOTIFY_SHIPPED_MIGRATIONS", 1),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_right(name: str, wrong: Any) -> None:
    app = make_bare_app(**{name: wrong})

    with pytest.raises(ConfigurationError, match=rf"^{name} must be .*, got {re.escape(repr(wrong))}$"):
        Notify(app, SQLAlchemy(app))


@pytest.mark.parametrize(
    "wrong", ["https://us:secret@host", "amqp:secret", "amqp://:secret@", "redis://us:se#cret@host:x/", 7]
)
def test_a_wrong_address_of_a_broker_is_refused_and_not_shown(wrong: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^NOTIFY_BROKER_URL must be .* begins with amqp://.*, got a value that is not"
    ) as refused:
        Notify(make_bare_app(NOTIFY_BROKER_URL=wrong))

    assert "secret" not in str(refused.value).replace("may be secret", "")


@pytest.mark.parametrize("misspelt", ["NOTIFY_POL_INTERVAL", "NOTIFY_FASTPOLL", "NOTIFY_TOMBSTONES_AGE"])
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(misspelt: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{misspelt} is not a setting of Flask-Notify, and NOTIFY_\w+ is"):
        Notify(make_bare_app(**{misspelt: 3}))


def test_a_setting_of_the_applications_own_may_begin_like_ours() -> None:
    site = make_app(MEMORY, NOTIFY_ADMINS=["susan"])

    assert site.app.config["NOTIFY_ADMINS"] == ["susan"]


def test_missing_settings_get_their_defaults() -> None:
    app = make_app(MEMORY).app

    assert {setting.name: app.config[setting.name] for setting in SETTINGS} == {
        setting.name: setting.default for setting in SETTINGS
    }


def test_without_a_db_the_error_tells_how_to_give_one() -> None:
    notify = Notify(make_bare_app())

    with pytest.raises(ConfigurationError, match=r"Notify\(db=db\)"):
        _ = notify.models


def test_without_a_user_model_the_error_tells_how_to_write_one() -> None:
    app = make_bare_app()
    notify = Notify(app, SQLAlchemy(app))

    with pytest.raises(ConfigurationError, match=r"class User\(RecipientMixin, UserMixin, db\.Model\)"):
        _ = notify.Inbox
    with pytest.raises(ConfigurationError, match="RecipientMixin"):
        app.test_client().get("/")


def test_a_user_model_may_come_after_init_app() -> None:
    app = make_bare_app()
    db = SQLAlchemy(app)
    notify = Notify(app, db)

    make_user(db)

    assert notify.Inbox.__tablename__ == "notify_inbox"


def test_without_flask_login_the_first_request_says_so() -> None:
    site = make_app(MEMORY, login=False)

    with pytest.raises(ConfigurationError, match=r"login_manager\.init_app"):
        site.app.test_client().get("/")


def test_a_second_init_app_is_refused() -> None:
    site = make_app(MEMORY)

    with pytest.raises(ConfigurationError, match="once per application"):
        site.notify.init_app(site.app)


def test_outside_an_application_with_the_extension_current_notify_says_so() -> None:
    with make_bare_app().app_context(), pytest.raises(ConfigurationError, match=r"notify\.init_app\(app\)"):
        _ = current_notify.models


def test_a_composite_key_is_refused() -> None:
    db = SQLAlchemy()

    with pytest.raises(ConfigurationError, match=r"primary key of one column, got \(id, tenant\)"):
        make_user(db, tenant=Column(Integer, primary_key=True))


def test_an_attribute_that_hides_one_of_the_mixins_is_refused_at_init_app() -> None:
    app = make_bare_app()
    db = SQLAlchemy(app)
    make_user(db, notifications=Column(String(10)))

    with pytest.raises(ConfigurationError, match=r"User\.notifications hides RecipientMixin\.notifications.*Rename"):
        Notify(app, db)


def test_an_attribute_may_be_overridden_on_purpose() -> None:
    app = make_bare_app()
    db = SQLAlchemy(app)
    User = make_user(db, notifications=Column(String(10)), __notify_overrides__={"notifications"})

    Notify(app, db)

    assert User(notifications="mine").notifications == "mine"


def test_a_collision_that_init_app_could_not_see_is_told_by_the_first_request() -> None:
    app = make_bare_app()
    db = SQLAlchemy(app)
    Notify(app, db)
    make_user(db, add_notification=lambda _: None)

    with pytest.raises(ConfigurationError, match=r"User\.add_notification hides"):
        app.test_client().get("/")


def test_a_second_user_model_is_refused() -> None:
    db = SQLAlchemy()
    make_user(db)

    with pytest.raises(ConfigurationError, match="got Admin beside User"):
        make_user(db, "Admin")


def test_models_that_inherit_from_the_user_model_share_its_tables() -> None:
    site = make_app("sqlite://")
    Admin = new_class(
        "Admin",
        (site.User,),
        exec_body=lambda body: body.update(
            __tablename__="admin", id=Column(Integer, ForeignKey("user.id"), primary_key=True)
        ),
    )
    with site.app.app_context():
        site.db.create_all()
        admin = Admin(name="root")
        site.db.session.add(admin)
        admin.add_notification("x", 1)
        site.db.session.commit()

        assert [n.name for n in admin.notifications] == ["x"]


def test_a_model_that_is_not_flask_sqlalchemys_is_refused() -> None:
    Base = declarative_base()

    with pytest.raises(ConfigurationError, match=r"Derive it from db\.Model"):
        new_class(
            "User",
            (RecipientMixin, Base),
            exec_body=lambda body: body.update(__tablename__="user", id=Column(Integer, primary_key=True)),
        )


def test_two_applications_of_one_process_are_told_apart() -> None:
    first, second = make_app(MEMORY), make_app(MEMORY, NOTIFY_URL_PREFIX="/live")
    for site in (first, second):
        site.create_tables()
        site.emit(site.add_user("susan"), "x", site.app.config["NOTIFY_URL_PREFIX"])

    assert first.client(1).get("/notifications").json[0]["data"] == ""  # type: ignore[index]  # a list
    assert second.client(1).get("/live/notifications").json[0]["data"] == "/live"  # type: ignore[index]  # likewise
    assert first.client(1).get("/live/notifications").status_code == 404


def test_the_user_model_may_live_in_a_bind(tmp_path: Any) -> None:
    binds = {"people": f"sqlite:///{tmp_path}/people.sqlite"}
    site = make_app(MEMORY, attributes={"__bind_key__": "people"}, SQLALCHEMY_BINDS=binds)
    site.create_tables()
    site.emit(site.add_user("susan"), "x", 1)
    client = site.client(1)
    items: Any = client.get("/notifications").json

    idle = client.get(f"/notifications?since={items[0]['timestamp']!r}")
    again = client.get(
        f"/notifications?since={items[0]['timestamp']!r}", headers={"If-None-Match": idle.headers["ETag"]}
    )

    assert [item["data"] for item in items] == [1]
    assert again.status_code == 304
    site.close()


def test_the_shell_knows_the_models(any_site: Site) -> None:
    with any_site.app.app_context():
        context = any_site.app.make_shell_context()

    assert context["notify"] is any_site.notify
    assert context["NotifyInbox"] is any_site.notify.Inbox
    assert context["NotifyNotification"] is any_site.notify.Notification
