"""Virtual time passes in no time, in an order that depends on nothing but the timers."""

import asyncio
import time

import pytest

from tests.simulation.virtual_time import EPOCH, Clock, Stalled, VirtualLoop, run_blocking, virtual_time, wait_for


def run(main: object) -> None:
    """Run a coroutine under virtual time."""
    clock = Clock()
    loop = VirtualLoop(clock)
    try:
        with virtual_time(clock):
            loop.run_until_complete(main)  # type: ignore[arg-type]
    finally:
        loop.close()


def test_a_day_passes_at_once() -> None:
    async def main() -> None:
        await asyncio.sleep(86_400)
        assert time.monotonic() == pytest.approx(86_400)
        assert time.time() == pytest.approx(EPOCH + 86_400)

    began_at = time.perf_counter()
    run(main())
    assert time.perf_counter() - began_at < 60


def test_blocking_code_shares_the_thread() -> None:
    order: list[str] = []

    def block(name: str, seconds: float) -> str:
        for _ in range(3):
            time.sleep(seconds)
            order.append(f"{name} {time.monotonic():.1f}")
        return name

    async def main() -> None:
        loop = asyncio.get_running_loop()
        answers = await asyncio.gather(loop.run_in_executor(None, block, "a", 2.0), asyncio.to_thread(block, "b", 3.0))
        assert list(answers) == ["a", "b"]

    run(main())
    assert order == ["a 2.0", "b 3.0", "a 4.0", "b 6.0", "a 6.0", "b 9.0"]


def test_errors_go_both_ways() -> None:
    async def fail() -> None:
        raise ValueError("in the loop")

    def block() -> None:
        with pytest.raises(ValueError, match="in the loop"):
            wait_for(fail())
        raise KeyError("in the greenlet")

    async def main() -> None:
        with pytest.raises(KeyError, match="in the greenlet"):
            await run_blocking(block)

    run(main())


def test_a_cancellation_ends_blocking_code() -> None:
    seen: list[str] = []

    def block() -> None:
        try:
            time.sleep(10)
        except Exception:  # noqa: BLE001 - that it takes nothing is what is tested
            seen.append("an exception")
        finally:
            seen.append("the end")

    async def main() -> None:
        task = asyncio.create_task(run_blocking(block))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    run(main())
    assert seen == ["the end"]


def test_a_run_in_which_nobody_does_anything_any_more_is_told() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stalled):
        run(main())


def test_time_is_real_again_afterwards() -> None:
    run(asyncio.sleep(1000))
    assert abs(time.time() - EPOCH - 1000) > 1
