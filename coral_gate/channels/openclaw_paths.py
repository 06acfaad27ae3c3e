"""
Which addresses of OpenClaw's gateway the gate lets a browser reach: data, for OpenClaw 2026.9.

Its own UI asks for these and no others. What is not here is not there: OpenClaw answers much more than its UI needs, to
whoever shows the credential, and the gate shows it for every request that passes.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from attrs import frozen


class Kind(enum.Enum):
    """What an address gives."""

    DOCUMENT = "document"
    """The UI's own page: the gate adds a script to it."""
    ASSET = "asset"
    """A file of the UI that never changes under its name; it may come compressed."""
    WORKER = "worker"
    """The UI's service worker."""
    API = "api"
    """Anything else; what of it is shown as a page is shown in a sandbox of its own."""


READS: Final = frozenset({b"GET", b"HEAD"})

_PAGES: Final = (
    b"/ /index.html /activity /agents /ai-agents /appearance /apps /ask /automation /automations /channels /chat /communications /config"
    b" /cron /custodian /dashboard /dashboards /debug /infrastructure /lobsterdex /logs /mcp /meetings /memory-import /model-providers"
    b" /model-setup /new /nodes /plugin /plugins /portals /profile /sessions /settings /settings/about /settings/advanced /settings/agents"
    b" /settings/ai-agents /settings/appearance /settings/approvals /settings/automation /settings/channels /settings/cloud-workers"
    b" /settings/communications /settings/connection /settings/device /settings/device/permissions /settings/devices /settings/general"
    b" /settings/infrastructure /settings/labs /settings/lobsterdex /settings/mcp /settings/memory /settings/memory-import"
    b" /settings/model-providers /settings/model-setup /settings/notifications /settings/plugins /settings/profile /settings/search"
    b" /settings/secrets /settings/security /settings/sessions /settings/skills /settings/talk /settings/updates /settings/worktrees"
    b" /skills /skills/workshop /systems /tasks /terminal /usage /workboard /worktrees"
).split()  # fmt: skip
"""The places of the UI that have an address of their own; OpenClaw answers each with one and the same document."""

_PAGES_BELOW: Final = (
    b"/activity/ /agents/ /approve/ /ask/ /chat/ /dashboard/ /plugin/ /plugins/ /settings/memory/ /settings/plugins/ /terminal/ /workboard/"
).split()
"""Places whose address goes on: a session, an approval, a plugin."""

_FILES: Final = (
    b"/manifest.webmanifest /favicon.svg /favicon.ico /favicon-32.png /apple-touch-icon.png /asset-manifest.json /social-card.png"
    b" /control-ui-config.json"
).split()
_FILES_BELOW: Final = b"/fonts/ /themes/ /app-art/ /community-art/ /file-icons/ /cloud-provider-icons/ /provider-icons/".split()

_API_BELOW: Final = (
    b"/avatar/ /api/users/ /api/chat/media/outgoing/ /api/artifacts/download/ /media/inbound/"
    b" /__openclaw__/assistant-media /__openclaw__/media/ /__openclaw__/workspace-icon/ /__openclaw__/plugin-icon/"
    b" /__openclaw__/plugin-activity-icon/ /__openclaw__/plugin-theme-art/ /__openclaw__/catalog-icon/ /__openclaw__/channel-avatar/"
    b" /__openclaw__/link-favicon"
).split()

_ASSET: Final = re.compile(rb"/assets/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
_FILE: Final = re.compile(rb"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
_REST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-Fa-f]{2})*\Z")
"""No `;`: some servers cut a path there, and some do not."""


@frozen
class Place:
    """
    One address, or everything below it.

    :ivar methods: what it takes.
    """

    kind: Kind
    methods: frozenset[bytes] = READS


_EXACT: Final = {
    **dict.fromkeys(_PAGES, Place(Kind.DOCUMENT)),
    **dict.fromkeys(_FILES, Place(Kind.API)),
    **{path: Place(Kind.API) for path in _API_BELOW if not path.endswith(b"/")},
    b"/sw.js": Place(Kind.WORKER),
}
_BELOW: Final = tuple(
    [(path, Place(Kind.DOCUMENT), _REST) for path in _PAGES_BELOW]
    + [(path, Place(Kind.API), _FILE) for path in _FILES_BELOW]
    + [(path, Place(Kind.API), _REST) for path in _API_BELOW if path.endswith(b"/")]
)


def place_of(method: bytes, path: bytes) -> Kind | None:
    """
    What OpenClaw's UI gets at an address; None where the gate lets nobody through.

    :param path: checked by `http1.target`; compared byte by byte, so that another spelling of it is another address.
    """
    place = _place(path)
    return place.kind if place is not None and method in place.methods else None


def _place(path: bytes) -> Place | None:
    place = _EXACT.get(path)
    if place is not None:
        return place
    if _ASSET.match(path):
        return Place(Kind.ASSET)
    for start, below, rest in _BELOW:
        if path.startswith(start) and rest.match(path, len(start)) and len(path) > len(start):
            return below
    return None
