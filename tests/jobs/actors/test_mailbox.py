"""What waits at the mailbox ends with the actor that it waits for, or on behalf of."""

import asyncio

from jobs.actors.mailbox import ExitReason, Mailbox

REASON = ExitReason("Hang", "no frame came")


async def _exchange() -> None:
    mailbox = Mailbox()
    waiting, asking = mailbox.wait_for_stop("a"), mailbox.message("a")
    told = asyncio.gather(waiting, asking)
    await asyncio.sleep(0)
    await mailbox.stop("a")
    await mailbox.post("a", REASON)
    await mailbox.post("a", ExitReason("Hang", "a second one"))
    assert [*await told] == [True, REASON]
    assert (await mailbox.exit_reason("a"), await mailbox.exit_reason("b")) == (REASON, None)


async def _forget() -> None:
    mailbox = Mailbox()
    told = asyncio.gather(mailbox.wait_for_stop("a"), mailbox.message("a"))
    others = asyncio.create_task(mailbox.wait_for_stop("b"))
    await asyncio.sleep(0)
    await mailbox.forget("a")
    await mailbox.forget("unknown")
    assert [*await asyncio.wait_for(told, 1)] == [False, None]
    assert not others.done()
    others.cancel()


def test_first_message_counts_and_reaches_whoever_waits() -> None:
    asyncio.run(_exchange())


def test_calls_of_an_actor_end_once_it_is_forgotten() -> None:
    asyncio.run(_forget())
