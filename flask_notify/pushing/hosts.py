"""To which addresses pushes are sent: a browser names its push service, and so could anybody.

What is checked here is all that stands between a request to subscribe and a request that this
server makes. It is checked when a browser subscribes, and again whenever a push is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..errors import InvalidSubscription
from ..models.pushing import MAX_ENDPOINT

# No parser, and so no two that differ: neither a user name, an address of IPv6, a backslash nor a fragment fits in.
_ENDPOINT = re.compile(r"https://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/[!-~]*", re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9.]+|.*\.[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


def origin_of(endpoint: object, allowed: Collection[str]) -> str:
    """Return the origin of a push service's address, in the form that is signed for it.

    :param allowed: names of hosts in lower case, as of ``NOTIFY_PUSH_HOSTS``.
    :raises InvalidSubscription: if no push may be sent there. The address is a secret, and not told.
    """
    if not isinstance(endpoint, str) or len(endpoint) > MAX_ENDPOINT:
        raise InvalidSubscription(f"A push service's address must be a text of at most {MAX_ENDPOINT} characters.")
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or "#" in endpoint or "\\" in endpoint:
        raise InvalidSubscription("A push service's address must be an https address with a path, and nothing else.")
    host = found["host"].lower()
    place = host if found["port"] in (None, "443") else f"{host}:{int(found['port'])}"
    if _NUMBERS.fullmatch(host) or not _is_among(place, allowed):
        raise InvalidSubscription(
            f"A push service must be one of {', '.join(sorted(allowed))}; got {place}. If browsers of yours use "
            "it, add it to NOTIFY_PUSH_HOSTS."
        )
    return f"https://{place}"


def _is_among(place: str, allowed: Collection[str]) -> bool:
    parts = place.split(".")
    # Of a.b.example.org: the whole, *.b.example.org, *.example.org, *.org; an empty part is no name.
    above = ("*." + ".".join(parts[start:]) for start in range(1, len(parts)))
    return all(parts) and (place in allowed or any(name in allowed for name in above))
