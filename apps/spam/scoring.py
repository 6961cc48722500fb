"""From what somebody did to a score: 1.0 and more is taken for spam. Pure; thresholds come from the settings."""

from dataclasses import dataclass

from apps.spam.tracking import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How much is taken for spam: receivers who do not answer, by hour and by day, of which an account younger than
    ``new_days`` has only ``new_share`` (above 0, at most 1); and messages an hour of such an account.
    """

    unanswered_hour: int
    unanswered_day: int
    new_days: float
    new_share: float
    new_messages_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """1.0 and more is taken for spam; ``reason`` names what weighed most, in words for moderators."""

    points: float
    reason: str


def score(activity: Activity, account_days: float, thresholds: Thresholds) -> Score:
    """Weigh what a sender did against the thresholds; the heaviest counts."""
    is_new = account_days < thresholds.new_days
    share = thresholds.new_share if is_new else 1.0
    found = [
        (
            activity.unanswered_hour / (thresholds.unanswered_hour * share),
            f"wrote to {activity.unanswered_hour} people within an hour who have not answered",
        ),
        (
            activity.unanswered_day / (thresholds.unanswered_day * share),
            f"wrote to {activity.unanswered_day} people within a day who have not answered",
        ),
    ]
    if is_new:
        volume = activity.messages_hour / thresholds.new_messages_hour
        found.append((volume, f"{activity.messages_hour} messages within an hour from a new account"))
    points, reason = max(found)
    return Score(points=points, reason=reason)
