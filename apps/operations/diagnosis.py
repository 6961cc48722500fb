"""What is wrong with a site, and what to do about it: every part is looked at, whatever the others say."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from django.conf import settings
from django.core import checks
from django.urls import reverse

from apps.messagelog.log import get_message_log
from apps.messagestore.store import get_message_store
from apps.operations.caches import UnsuitableCache, check_caches
from apps.operations.group_tracing import list_late_groups
from apps.operations.health import CHECKS, RELAY_GROUP, Check, NotReady
from apps.operations.preflight import list_own_databases
from apps.operations.schema import list_missing_migrations
from apps.valkey.pools import sync_client

Level = Literal["ok", "warning", "fault"]

LAG_WORTH_A_WORD = 10_000
EXPIRED_WORTH_A_WORD = 10_000
CLOCK_SKEW_SECONDS = 2.0
FAN_OUT_LATE_MS = 60_000
GROUPS_NAMED = 5
LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one part; ``advice`` is empty where nothing has to be done."""

    part: str
    level: Level
    text: str
    advice: str = ""


ADVICE = {
    "database": "Is DATABASE_URL right, and the server up? Connections stay open; nobody can log in.",
    "message_store": "Is MESSAGE_STORE_URL right, and the server up? ✓ goes on; deliveries wait for it.",
    "cache": "Is REDIS_URL right, and the server up? Inboxes are rebuilt from the Message DB by themselves.",
    "event_log": "Is EVENT_LOG_URL right, and are its brokers up? Senders are asked to try again meanwhile.",
    "relay": "Start one: `manage.py relay`. Messages have ✓ and wait on the log.",
    "worker": "Start one: `celery -A chatsite worker`, and one beat. Drains of whoever comes back wait for it.",
}


def diagnose() -> Iterator[Finding]:
    """Look at every part in turn. Never raises: a look that fails is a finding."""
    for name, check in CHECKS.items():
        yield from _look(name, partial(_ask, name, check))
    for name, look in LOOKS.items():
        yield from _look(name, look)


def _ask(name: str, check: Check) -> list[Finding]:
    return [Finding(part=name, level="ok", text=check())]


def _look(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except NotReady as error:
        text = str(error)
    except Exception as error:  # noqa: BLE001 (whatever a look meets is what there is to say)
        text = f"cannot be looked at ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
    return [Finding(part=name, level="fault", text=text, advice=ADVICE.get(name, "See the line of that server above."))]


def _judge(part: str, text: str, *, warn: bool, advice: str) -> Finding:
    """A measure that is well, or worth a warning with this advice."""
    return Finding(part=part, level="warning" if warn else "ok", text=text, advice=advice if warn else "")


def _look_at_valkeys() -> list[Finding]:
    try:
        check_caches()
    except UnsuitableCache as error:
        return [Finding(part="valkey", level="fault", text=str(error), advice="Use a server that can.")]
    return [Finding(part="valkey", level="ok", text="the servers can do what they have to")]


def _look_at_migrations() -> list[Finding]:
    missing: list[str] = []
    for alias in list_own_databases():
        missing += [f"{alias}: {migration}" for migration in list_missing_migrations(alias)]
    if missing:
        advice = "Run `manage.py migrate`, and with `--database messages` too where the Message DB is SQL."
        return [Finding(part="migrations", level="fault", text=f"not applied: {', '.join(missing)}", advice=advice)]
    return [Finding(part="migrations", level="ok", text="all applied")]


def _look_at_log() -> list[Finding]:
    status = get_message_log().status()
    behind = sum(status.lags(RELAY_GROUP))
    advice = "`manage.py log_status` says where; more relays share the partitions on Kafka."
    text = f"the relays are {behind:,} records behind"
    found = [_judge("log", text, warn=behind > LAG_WORTH_A_WORD, advice=advice)]
    if status.dead_letters:
        advice = f"{reverse('dead-letters')} in the admin says why; no content is shown there."
        text = f"{status.dead_letters:,} records could not be processed"
        found.append(Finding(part="dead letters", level="warning", text=text, advice=advice))
    return found


def _look_at_groups() -> list[Finding]:
    late = list_late_groups(FAN_OUT_LATE_MS)
    named = ", ".join(late[:GROUPS_NAMED]) + (" …" if late[GROUPS_NAMED:] else "")
    advice = "Celery fans out, and beat asks again every 10 s for what was left: do both run? Workers log what fails."
    text = f"{len(late):,} groups wait for over a minute: {named}" if late else "none waits for its fan-out"
    return [_judge("groups", text, warn=bool(late), advice=advice)]


def _look_at_retention() -> list[Finding]:
    expired = get_message_store().count_expired(int(time.time() * 1000))
    advice = "Is Celery beat running? `manage.py purge_expired` does it now."
    text = f"{expired:,} messages are past their time and not deleted yet"
    return [_judge("retention", text, warn=expired > EXPIRED_WORTH_A_WORD, advice=advice)]


def _look_at_clocks() -> list[Finding]:
    before = time.time()
    seconds, microseconds = sync_client(settings.REDIS_URL).time()
    ahead = seconds + microseconds / 1e6 - (before + time.time()) / 2
    advice = "Let NTP set all clocks: timestamps of messages come from the gateways."
    text = f"the cache's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return [_judge("clocks", text, warn=abs(ahead) > CLOCK_SKEW_SECONDS, advice=advice)]


def _look_at_disk() -> list[Finding]:
    usage = shutil.disk_usage(settings.CHAT_DATA_DIR)
    scarce = usage.free < max(LEAST_FREE_BYTES, LEAST_FREE_SHARE * usage.total)
    advice = "With a full disk nothing gets ✓ any more. Make room, or move CHAT_DATA_DIR."
    text = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are free under {settings.CHAT_DATA_DIR}"
    return [_judge("disk", text, warn=scarce, advice=advice)]


def _look_at_settings() -> list[Finding]:
    said = checks.run_checks(include_deployment_checks=True)
    worth = [message for message in said if not message.is_silenced() and message.level >= checks.WARNING]
    return [
        Finding(
            part="settings",
            level="fault" if message.level >= checks.ERROR else "warning",
            text=f"{message.id}: {message.msg}",
            advice=str(message.hint or ""),
        )
        for message in worth
    ] or [Finding(part="settings", level="ok", text="`manage.py check --deploy` finds nothing")]


LOOKS: dict[str, Callable[[], list[Finding]]] = {
    "valkey": _look_at_valkeys,
    "migrations": _look_at_migrations,
    "log": _look_at_log,
    "groups": _look_at_groups,
    "retention": _look_at_retention,
    "clocks": _look_at_clocks,
    "disk": _look_at_disk,
    "settings": _look_at_settings,
}
