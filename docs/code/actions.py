"""A forum whose threads are closed, moved and tidied up by actions."""

from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy
from wtforms import Form, StringField
from wtforms.validators import InputRequired

from flask_notify import Action, Notify, NotifyingAction, RecipientMixin

app = Flask(__name__)
app.config.from_prefixed_env()
app.config.setdefault("SECRET_KEY", "change me")
app.config.setdefault("SQLALCHEMY_DATABASE_URI", "sqlite:///forum.sqlite")
db = SQLAlchemy()
notify = Notify(db=db)

participation = db.Table(
    "participation",
    db.Column("user_id", db.ForeignKey("user.id"), primary_key=True),
    db.Column("thread_id", db.ForeignKey("thread.id"), primary_key=True),
)


class User(RecipientMixin, UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(64), unique=True)


class Thread(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(80))
    topic = db.Column(db.String(80))
    closed = db.Column(db.Boolean, default=False)
    author_id = db.Column(db.ForeignKey("user.id"))
    participants = db.relationship(User, secondary=participation)

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return f"/threads/{self.id}"


# One object, and others are told
@notify.action
class CloseThread(NotifyingAction):
    label = "Close thread"
    target = Thread
    lock_rows = True

    def permitted(self, ar, thread):
        return thread.author_id == ar.user.id and not thread.closed

    def get_notify_recipients(self, ar, thread):
        return thread.participants

    def run(self, ar, thread):
        ar.confirm(f"Close “{thread.title}”?", uid="close")
        thread.closed = True
        ar.success("Closed.", refresh=True)


# One object, and a form
class MoveForm(Form):
    topic = StringField("Topic", [InputRequired("Name a topic.")])


@notify.action
class MoveThread(Action):
    target = Thread
    form = MoveForm

    def permitted(self, ar, thread):
        return thread.author_id == ar.user.id

    def initial(self, ar, thread):
        return {"topic": thread.topic}

    def run(self, ar, thread):
        thread.topic = ar.params["topic"]
        ar.success(f"Moved to {thread.topic}.", refresh=True)


# Selected objects
@notify.action
class TidyUp(Action):
    label = "Close selected threads"
    target = Thread
    select = "many"

    def get_query(self, ar):
        return db.select(Thread).where(Thread.author_id == ar.user.id)

    def permitted(self, ar, thread):
        return True

    def run(self, ar, threads):
        for thread in threads:
            if thread.topic == "Announcements":
                ar.error(f"{thread.title} stays open.")  # and so do all the others
            thread.closed = True
        ar.success(f"Closed: {len(threads)}.", refresh=True)


# No object
@notify.action
class CountThreads(Action):
    def permitted(self, ar):
        return ar.user is not None

    def run(self, ar):
        count = db.session.scalar(db.select(db.func.count()).select_from(Thread))
        ar.success(f"There are {count} threads.")


# The application
db.init_app(app)
login_manager = LoginManager(app)
notify.init_app(app)


@login_manager.user_loader
def load_user(key):
    return db.session.get(User, int(key))


with app.app_context():
    db.create_all()
