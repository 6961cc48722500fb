"""What a batch must know of its people."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from apps.accounts.selectors import DeliveryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Delivery facts by user, and (blocker, blocked) pairs."""

    facts: Mapping[str, DeliveryFacts]
    blocks: AbstractSet[tuple[str, str]]

    def devices(self, user_id: str) -> tuple[str, ...]:
        """The user's devices that are waited for."""
        facts = self.facts.get(user_id)
        return facts.devices if facts else ()

    def keeps_history(self, user_id: str) -> bool:
        """Whether the user keeps history now."""
        facts = self.facts.get(user_id)
        return bool(facts and facts.history_days)

    def shows_reads(self, user_id: str) -> bool:
        """Whether the user lets others see what was read."""
        facts = self.facts.get(user_id)
        return bool(facts and facts.read_receipts)

    def blocked(self, one: str, other: str) -> bool:
        """Whether either has blocked the other."""
        return (one, other) in self.blocks or (other, one) in self.blocks

    def refusal(self, sender_id: str, receiver_id: str) -> str:
        """The error code for a message between these two, or "" where it may go."""
        receiver, sender = self.facts.get(receiver_id), self.facts.get(sender_id)
        if receiver is None or not receiver.active:
            return "unknown_receiver"
        if sender is None or not sender.active:
            return "forbidden"
        if self.blocked(sender_id, receiver_id):
            return "forbidden"
        return ""
