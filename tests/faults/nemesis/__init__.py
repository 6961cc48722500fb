"""What breaks the real processes of a site, one fault at a time; each fault undoes itself.

`embedded_site` and `production_site` start a profile with everything in place; `list_faults` says what can be done to
it.
"""

from tests.faults.nemesis.base import LONG, SHORT, Fault, Lengths, Strike, StrikeableSite
from tests.faults.nemesis.embedded import embedded_site
from tests.faults.nemesis.production import production_site

__all__ = [
    "LONG",
    "SHORT",
    "Fault",
    "Lengths",
    "Strike",
    "StrikeableSite",
    "embedded_site",
    "list_faults",
    "production_site",
]


def list_faults(site: StrikeableSite) -> list[Fault]:  # type: ignore[type-arg]
    """What can be done to this site."""
    return list(site.faults)
