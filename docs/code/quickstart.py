"""Two windows, one number: a whole application with a live notification."""

from flask import Flask, redirect, render_template_string
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from flask_notify import Notify, RecipientMixin

app = Flask(__name__)
app.config.update(SECRET_KEY="change me", SQLALCHEMY_DATABASE_URI="sqlite:///quickstart.sqlite")
app.config.from_prefixed_env()

db = SQLAlchemy()
notify = Notify(db=db)


class User(RecipientMixin, UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    waves = db.Column(db.Integer, default=0)


db.init_app(app)
CSRFProtect(app)
login_manager = LoginManager(app)
login_manager.user_loader(lambda key: db.session.get(User, int(key)))
notify.init_app(app)

PAGE = """
<!doctype html>
<title>Waves</title>
<p>Waves: {{ notify_badge("waves", label="waves") }}</p>
<form method="post" action="/wave">
  <input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
  <button>Wave</button>
</form>
{{ notify_script() }}
"""


@app.get("/")
def page():
    login_user(db.session.get(User, 1))  # an application asks for a password here
    return render_template_string(PAGE)


@app.post("/wave")
@login_required
def wave():
    current_user.waves += 1
    current_user.add_notification("waves", current_user.waves)
    db.session.commit()
    return redirect("/")


with app.app_context():
    db.create_all()
    if db.session.get(User, 1) is None:
        db.session.add(User(id=1))
        db.session.commit()
