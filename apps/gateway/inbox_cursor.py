"""Where one connection stands in its device's numbering. Pure: decides what may be written, in order and without a gap.

States: draining (pages fill in what waited; pushes wait in a bounded buffer) and live (pushes are written as they
come).
"""

MAX_AHEAD = 512
MAX_AHEAD_CHARACTERS = 256 * 1024
"""Pushes kept while they wait for a page or for one that is late; what is dropped beyond comes with a drain."""


class InboxCursor:
    """``epoch`` and ``position``: the last counter that was handed to the socket."""

    __slots__ = ("_ahead", "_ahead_epoch", "_ahead_size", "_must_drain", "draining", "epoch", "generation", "position")

    def __init__(self) -> None:
        self.epoch = ""
        self.position = 0
        self.generation = 0
        self.draining = True
        self._ahead: dict[int, str] = {}
        self._ahead_epoch = ""
        self._ahead_size = 0
        self._must_drain = False

    def start_live(self, epoch: str, counter: int) -> list[str]:
        """Nothing waits: live from this counter on. Returns the frames that came meanwhile."""
        self.epoch, self.position, self.draining = epoch, counter, False
        return self._take_next()

    def resume(self, epoch: str, position: int) -> None:
        """The client has everything up to here, over another connection; a drain is to follow."""
        self.epoch, self.position = epoch, position

    def begin_drain(self) -> int:
        """Pages from here on; returns their generation. Those of earlier drains are ignored."""
        self.generation += 1
        self.draining = True
        self._must_drain = False
        return self.generation

    @property
    def behind(self) -> bool:
        """Live, yet something is missing: if it does not come in a moment, a drain must fetch it."""
        return not self.draining and (self._must_drain or bool(self._ahead))

    @property
    def must_drain(self) -> bool:
        """Live, and waiting cannot help: the inbox has another epoch."""
        return not self.draining and (self._must_drain or bool(self._ahead and self._ahead_epoch != self.epoch))

    def push(self, epoch: str, counter: int, frame: str) -> list[str]:
        """A push; an empty epoch only says that the inbox must be drained anew. Returns the frames to write now."""
        if not epoch:
            self._must_drain = True
            return []
        if epoch == self.epoch and not self.draining:
            if counter <= self.position:
                return []
            if counter == self.position + 1:
                self.position = counter
                return [frame, *self._take_next()] if self._ahead else [frame]
        if epoch != self._ahead_epoch:
            self._ahead, self._ahead_epoch, self._ahead_size = {}, epoch, 0
        if len(self._ahead) < MAX_AHEAD and self._ahead_size < MAX_AHEAD_CHARACTERS:
            self._ahead[counter] = frame
            self._ahead_size += len(frame)
        return []

    def page(
        self, generation: int, epoch: str, after: int, upto: int, last: bool, frames: list[str]
    ) -> list[str] | None:
        """A page of the running drain. Returns the frames to write now, or None if the page is not the awaited one."""
        if not self.draining or generation != self.generation:
            return None
        if epoch != self.epoch:
            if after != 0:
                return None
            self.epoch, self.position = epoch, 0
        if after != self.position:
            return None
        self.position = max(upto, after)
        if not last:
            return frames
        self.draining = False
        if self._ahead and self._ahead_epoch != self.epoch:
            # Pushes of another epoch: of a newer, then one more drain finds it; late ones of an older, then it does
            # not.
            self._ahead, self._must_drain = {}, True
            self._ahead_size = 0
        return frames + self._take_next()

    def is_behind(self, epoch: str, counter: int) -> bool:
        """Whether a look at the inbox shows more than this connection has been told of."""
        return not self.draining and (epoch != self.epoch or counter > self.position)

    def _take_next(self) -> list[str]:
        """Buffered pushes that follow without a gap; older ones are forgotten."""
        if self._ahead_epoch != self.epoch or not self._ahead:
            return []
        frames: list[str] = []
        while (frame := self._ahead.pop(self.position + 1, None)) is not None:
            self.position += 1
            frames.append(frame)
        if self._ahead:
            self._ahead = {counter: frame for counter, frame in self._ahead.items() if counter > self.position}
        self._ahead_size = sum(map(len, self._ahead.values()))
        return frames
