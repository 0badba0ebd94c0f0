"""Portraits drawn from a name alone: the same name gives the same portrait."""

from __future__ import annotations

import hashlib

from markupsafe import Markup

_SVG = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" role="img">'
    '<rect width="96" height="96" fill="hsl({hue},{sat}%,40%)"/>'
    '<circle cx="{x1}" cy="{y1}" r="{r1}" fill="hsl({hue2},{sat}%,52%)"/>'
    '<circle cx="{x2}" cy="{y2}" r="{r2}" fill="hsl({hue3},{sat}%,30%)"/>'
    '<text x="48" y="50" fill="#fff" font-family="ui-rounded,system-ui,sans-serif" '
    'font-size="44" font-weight="600" text-anchor="middle" '
    'dominant-baseline="central">{initial}</text></svg>'
)


def draw(username: str) -> str:
    """Return the SVG portrait of *username*."""
    dice = hashlib.sha256(username.encode()).digest()
    hue = dice[0] * 360 // 256
    return str(
        _SVG.format(
            hue=hue,
            hue2=(hue + 24 + dice[1] % 32) % 360,
            hue3=(hue + 320 + dice[2] % 24) % 360,
            sat=34 + dice[3] % 20,
            x1=dice[4] % 96,
            y1=dice[5] % 48,
            r1=28 + dice[6] % 20,
            x2=dice[7] % 96,
            y2=64 + dice[8] % 40,
            r2=24 + dice[9] % 24,
            initial=username[:1].upper(),
        )
    )
