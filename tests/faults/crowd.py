"""The people of a fault run, and how they live through its plan."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence

from tests.client.chat_client import FINAL_CLOSE_CODES, ChatClient
from tests.client.history import History, SentMessage
from tests.client.outgoing import epoch_ms
from tests.client.rest import NoAnswer
from tests.faults.participant import DAYS_OF_HISTORY, Participant, WrongAnswer
from tests.faults.plan import Act, Plan, Step

LOOK_SECONDS = 0.5
REPLACED = 4409
LONGEST_CONTENT = 120
OF_GROUP = (Act.GROUP_WRITE, Act.GROUP_LEAVE)


class Crowd:
    """People who write to each other; every content is unique, as the checker asks.

    `mishaps` are what befell the people and no history tells: a device shut out, a call without an answer.
    """

    def __init__(self, people: Sequence[Participant], plan: Plan) -> None:
        self.people = people
        self.mishaps: list[tuple[str, str]] = []  # kind and detail
        self.done: Counter[str] = Counter()
        self._plan = plan
        self._rng = random.Random(f"crowd {plan.seed}")
        self._numbers = itertools.count(1)
        self._group_id = ""
        self._evening = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()
        self._shut_out: set[ChatClient] = set()

    @property
    def histories(self) -> list[History]:
        """What each device did and saw, those too that were logged out."""
        return [client.history for person in self.people for client in person.clients]

    @property
    def devices(self) -> list[ChatClient]:
        """The devices that are logged in."""
        return [client for person in self.people for client in person.devices]

    async def found_group(self) -> None:
        """Make the group that all of them are in; the first of them owns it."""
        self._group_id = await self.people[0].create_group("everybody", self.people[1:])

    def count_in_flight(self) -> int:
        """Messages that were written to a connection and have no ✓✓ yet."""
        return sum(bool(message.attempts) for client in self.devices for message in client.history.in_flight)

    def burst(self, count: int) -> None:
        """Send `count` messages at once, between people who know each other."""
        for _ in range(count):
            person = self._rng.randrange(len(self.people))
            self._write(person, self._rng.choice(self._plan.friends[person]), self._rng.randrange(2**16))

    async def live(self) -> None:
        """Live by the plan, for ever; what takes time goes on beside it."""
        began_at = time.monotonic()
        for step in self._plan.steps():
            await asyncio.sleep(began_at + step.at - time.monotonic())
            self._perform(step)

    async def watch(self) -> None:
        """Look after devices that stay away, for ever: nobody shuts out a device that is logged in."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for client in self.devices:
                if client.has_ended and client not in self._shut_out:
                    self._bring_back(client)

    async def come_home(self, patience: float) -> None:
        """End what is under way, bring every device online, log out what no one knows, and wait for every ✓✓.

        Gives up, without a word, when nothing has moved for `patience` seconds: the checker will say what is missing.
        """
        self._evening.set()
        while self._jobs:
            await asyncio.wait(self._jobs)
        self._shut_out.clear()
        for client in self.devices:
            client.go_online()
        for person in self.people:
            await self._try(self._remove_unknown_devices(person))
        await wait_while_moving(lambda: sum(not client.is_drained for client in self.devices), patience)
        await wait_while_moving(lambda: sum(len(client.history.in_flight) for client in self.devices), patience)

    async def go_offline(self) -> None:
        """Take every device off the site."""
        self._evening.set()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        ends = await asyncio.gather(*(client.stop() for client in self.devices), return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                self.mishaps.append(("broken frame", repr(end)))

    # --- The steps ------------------------------------------------------------------------------------------------

    def _perform(self, step: Step) -> None:
        """Do what takes no time at once, and begin the rest. Without a group nothing is done in it."""
        if step.act in OF_GROUP and not self._group_id:
            return
        person, other = self.people[step.person], self.people[step.other]
        match step.act:
            case Act.WRITE | Act.BURST:
                for _ in range(step.count):
                    self._write(step.person, step.other, step.pick)
            case Act.GROUP_WRITE:
                content = f"{next(self._numbers)} of {step.person} to all"
                person.device(step.pick).send(self._group_id, content)
            case Act.READ:
                self._read(person.device(step.pick), other.user_id)
            case Act.CUT:
                person.device(step.pick).cut(reset=step.pick % 2 == 0)
            case _:
                self._begin(self._take_time(step, person, other))
        self.done[step.act] += 1

    async def _take_time(self, step: Step, person: Participant, other: Participant) -> None:
        match step.act:
            case Act.SLEEP:
                await self._sleep(person, step)
            case Act.LOG_IN:
                await person.log_in(step.pick)
            case Act.LOG_OUT:
                await person.log_out(step.pick)
            case Act.BLOCK:
                await person.block(other)
                await self._pass_time(step.seconds)
                await person.unblock(other)
            case Act.GROUP_LEAVE:
                await self._be_outside(person, step.seconds)
            case Act.KEEP_HISTORY:
                await person.keep_history(DAYS_OF_HISTORY)
            case _:
                await person.keep_history(0)

    def _write(self, person: int, other: int, pick: int) -> SentMessage:
        filler = "x" * self._rng.randrange(LONGEST_CONTENT)
        content = f"{next(self._numbers)} of {person} to {other} {filler}".rstrip()
        return self.people[person].send(self.people[other], content, pick)

    @staticmethod
    def _read(client: ChatClient, sender_id: str) -> None:
        newest = next((m for m in reversed(client.history.shown.values()) if m.sender_id == sender_id), None)
        if newest is not None:
            frame = {"action": "message_read", "message_id": newest.message_id, "receiver_id": sender_id}
            client.send_frame(frame | {"timestamp": epoch_ms()})

    async def _sleep(self, person: Participant, step: Step) -> None:
        client = person.device(step.pick)
        await client.stop(cut=step.pick % 2 == 0)
        await self._pass_time(step.seconds)
        if client in person.devices:
            client.go_online()

    async def _be_outside(self, person: Participant, seconds: float) -> None:
        """Be no member of the group for a while. The owner stays."""
        owner = self.people[0]
        if person is not owner:
            await person.leave_group(self._group_id)
            await self._pass_time(seconds)
            await owner.add_to_group(self._group_id, person)

    async def _remove_unknown_devices(self, person: Participant) -> None:
        self.done["unknown devices logged out"] += await person.remove_unknown_devices()

    async def _pass_time(self, seconds: float) -> None:
        """Wait, but not beyond the evening."""
        try:
            async with asyncio.timeout(seconds):
                await self._evening.wait()
        except TimeoutError:
            return

    # --- What may befall them -------------------------------------------------------------------------------------

    def _begin(self, call: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(self._try(call))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _try(self, call: Coroutine[None, None, None]) -> None:
        try:
            await call
        except (NoAnswer, WrongAnswer) as error:
            self.mishaps.append(("no answer" if isinstance(error, NoAnswer) else "wrong answer", str(error)))

    def _bring_back(self, client: ChatClient) -> None:
        if client.failure is not None:
            self.mishaps.append(("broken frame", f"{client.account.device_id}: {client.failure!r}"))
        else:
            close = client.history.closes[-1]
            if close.code in FINAL_CLOSE_CODES - {REPLACED}:
                detail = f"{client.account.device_id} was closed with {close.code} {close.reason!r}"
                self.mishaps.append(("shut out", detail))
                self._shut_out.add(client)
                return
            # A connection that came late, through a line that held it back, may have replaced a younger one.
            self.done[f"came back after {close.code}"] += 1
        client.go_online()


async def wait_while_moving(count: Callable[[], int], patience: float) -> bool:
    """Wait until `count` is 0; False when it has not changed for `patience` seconds."""
    last, since = count(), time.monotonic()
    while (now := count()) > 0:
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            return False
        await asyncio.sleep(0.1)
    return True


def summarize_acts(done: Mapping[str, int]) -> str:
    """What people did, by number."""
    return ", ".join(f"{act} {times:,}" for act, times in sorted(done.items()))
