"""Pictures for the documentation, made by tests: each shows what the test has just checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE: dict[str, Any] = {"viewport": {"width": 640, "height": 480}, "device_scale_factor": 2, "reduced_motion": "reduce"}
"""The options of a visitor's browser whose pictures fit the documentation's column."""

TakePicture = Callable[["Page", str], None]


def take_picture(page: Page, name: str) -> None:
    """Write what a page shows to ``docs/images``, where ``make pictures`` asks for it; else see that it is there.

    :param name: of the file, without its suffix.
    """
    path = IMAGES / f"{name}.png"
    if os.environ.get("PICTURES"):
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=path, animations="disabled", caret="hide")
    assert path.is_file(), f"{path} is missing: make pictures"
