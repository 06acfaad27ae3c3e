"""`[gate]`: the two web sites, and where the daemon keeps its state."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.hosts import Origin, origin, same_site
from coral_gate.config.kinds import FilePath, Spelled, Switch
from coral_gate.config.places import Place

_PORTAL = Spelled('an origin such as "https://gate.example"', origin, str)
_SITE = Spelled('an origin such as "https://sandboxes.example"', origin, str)
_LONGEST_SITE = 253 - 27  # a sandbox's id and a dot go in front


def _long_enough_for_ids(place: Place, sandbox_site: Origin) -> None:
    if len(sandbox_site.host) > _LONGEST_SITE:
        place.at("sandbox_site").record(f"The name is too long; expected at most {_LONGEST_SITE} characters.")


def _two_sites(place: Place, portal_origin: Origin, sandbox_site: Origin, public_suffix: bool) -> None:
    portal, site = portal_origin.host, sandbox_site.host
    here = place.at("sandbox_site")
    if portal == site or portal.endswith(f".{site}") or site.endswith(f".{portal}"):
        here.record(
            f"{site} and the portal's {portal} are the same host or one is below the other.",
            "Pages of sandboxes are hostile: give them a registered domain of their own.",
        )
    elif same_site(portal, site) and not public_suffix:
        here.record(
            f"{site} and the portal's {portal} may be one site to a browser: they share their last two labels.",
            "Use two registered domains, or set public_suffix = true if browsers do treat them as two sites.",
        )


@frozen(kw_only=True)
class GateConfig:
    """
    The two web sites of the gate, and where it keeps its state.

    The portal holds people's sessions and sandboxes hold pages that nobody trusts, so browsers must see two different
    sites: only then do they keep cookies, storage and processes apart.
    """

    portal_origin: Origin = field(
        metadata=key(
            "portal_origin",
            _PORTAL,
            """
            The origin of the portal, as browsers show it: `https://`, a name in lower case, and the port unless it is
            443. For a try-out on one machine `https://gate.localhost:8443` needs no DNS.
            """,
            since="0.1",
        )
    )
    sandbox_site: Origin = field(
        metadata=key(
            "sandbox_site",
            _SITE,
            """
            The site below which each sandbox has its own origin: with `https://sandboxes.example` a sandbox is reached
            at `https://<its id>.sandboxes.example`. It is refused when it is the portal's host, above or below it, or
            when both share their last two labels. Below `.localhost` siblings are fine, since browsers treat each name
            there as a site of its own.
            """,
            since="0.1",
        )
    )
    public_suffix: bool = field(
        default=False,
        metadata=key(
            "public_suffix",
            Switch(),
            """
            Your word that browsers treat the portal and `sandbox_site` as two sites though they share their last two
            labels: `sandbox_site` is on the public suffix list, or both are registered apart below a suffix of two
            labels such as `co.uk`. Nothing checks this; where it is wrong, sandboxes can set cookies for each other
            and for the portal's domain.
            """,
            since="0.1",
        ),
    )
    state_directory: Path = field(
        default=Path("/var/lib/coral-gate"),
        metadata=key(
            "state_directory",
            FilePath(),
            "Where the daemon keeps what must survive it. It must belong to the daemon's user alone (mode 0700).",
            since="0.1",
        ),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(_long_enough_for_ids, "sandbox_site"),
        rule(_two_sites, "portal_origin", "sandbox_site", "public_suffix"),
    )
