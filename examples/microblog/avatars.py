"""Portraits drawn from a name alone: the same name gives the same portrait."""

from __future__ import annotations

import hashlib

from markupsafe import Markup

# Ground, hill and sun: muted, and dark enough for a white letter.
_COLOURS = (
    ("#7a3b2e", "#5c2a22", "#b0654f"),
    ("#2f5d62", "#234649", "#5e8b8f"),
    ("#5b4a72", "#443758", "#8b7aa5"),
    ("#6b6030", "#504823", "#9c9058"),
    ("#3d5a80", "#2c4362", "#7390b5"),
    ("#824a5e", "#633646", "#b37a8e"),
    ("#44623f", "#334a2f", "#75956f"),
    ("#8a5a2b", "#6a441f", "#b98a58"),
    ("#4a5561", "#373f49", "#7d8995"),
    ("#326a54", "#254f3f", "#639b84"),
    ("#73416f", "#563053", "#a372a0"),
    ("#2d4f73", "#213b57", "#6f8fb0"),
)

_SVG = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" role="img">'
    '<rect width="96" height="96" fill="{ground}"/>'
    '<circle cx="{sun_x}" cy="{sun_y}" r="{sun_r}" fill="{sun}"/>'
    '<circle cx="{hill_x}" cy="{hill_y}" r="{hill_r}" fill="{hill}"/>'
    '<text x="48" y="50" fill="#fff" font-family="ui-rounded,system-ui,sans-serif" '
    'font-size="42" font-weight="600" text-anchor="middle" '
    'dominant-baseline="central">{initial}</text></svg>'
)


def draw(username: str) -> str:
    """Return the SVG portrait of *username*."""
    dice = hashlib.sha256(username.encode()).digest()
    ground, hill, sun = _COLOURS[dice[0] % len(_COLOURS)]
    return str(
        _SVG.format(
            ground=ground,
            hill=hill,
            sun=sun,
            sun_x=20 + dice[1] % 56,
            sun_y=18 + dice[2] % 24,
            sun_r=18 + dice[3] % 16,
            hill_x=dice[4] % 96,
            hill_y=88 + dice[5] % 16,
            hill_r=34 + dice[6] % 24,
            initial=username[:1].upper(),
        )
    )
