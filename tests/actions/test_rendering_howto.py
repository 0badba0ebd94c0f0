"""What the how-to shows is what is rendered (row F7)."""

from __future__ import annotations

import doctest
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.actions.salon import make_salon
from tests.apps import Site

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "rendering.rst"


@pytest.mark.databases("sqlite")
def test_the_examples_show_what_they_say(site: Site) -> None:
    with site.app.app_context():
        salon = make_salon(site)
        ann, bob = salon.user("ann"), salon.user("bob")
        Thread, Post = salon.Thread, salon.Post
        tea = Thread(id=1, title="Tea", author=ann, score=Decimal("12.50"), pinned=True)
        coffee = Thread(id=2, title="Coffee", author=bob, score=Decimal("3.00"), pinned=False)
        salon.add(tea, coffee, Thread(id=3, title="Water"))
        salon.add(
            Post(thread=tea, author=bob, text="Milk first?\nOr last?"), Post(thread=tea, author=ann, text="Never.")
        )
        Thread.author_id.info["label"] = "Author"
        names = {"notify": site.notify, "ann": ann, "coffee": coffee, "select": select, "Thread": Thread, "Post": Post}
        examples = doctest.DocTestParser().get_doctest(HOWTO.read_text(), names, HOWTO.name, str(HOWTO), 0)

        told: list[str] = []
        results = doctest.DocTestRunner().run(examples, out=told.append)

    assert results.attempted >= 10
    assert "".join(told) == ""
