"""However many ask at once, only so many of our requests are at work, and the others hold nothing of Airflow's."""

from __future__ import annotations

import asyncio
from typing import Any

from open_orders.web.few_at_once import AT_WORK, FewAtOnce
from tests.web.raw_requests import run_apart


class Work:
    """An app whose answers begin, and end, when the test says so."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.may_begin, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.at_work.append(scope["path"])
        if scope["path"] == "/fails":
            raise RuntimeError("on purpose")
        await self.may_begin.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b"done"})


async def nothing(*_: Any) -> Any:
    return None


def ask(app: FewAtOnce, path: str) -> asyncio.Task[None]:
    return asyncio.create_task(app({"type": "http", "path": path}, nothing, nothing))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_requests_beyond_the_limit_wait_for_an_answer_to_begin() -> None:
    async def scenario() -> None:
        work = Work()
        app = FewAtOnce(work)
        tasks = [ask(app, f"/{number}") for number in range(AT_WORK + 3)]
        await settle()
        assert work.at_work == [f"/{number}" for number in range(AT_WORK)]
        static = ask(app, "/job_logs/static/base.css")
        await settle()
        assert work.at_work[-1] == "/job_logs/static/base.css"
        # Their answers begin, and go on: a slow reader keeps nobody waiting.
        work.may_begin.set()
        await settle()
        assert len(work.at_work) == AT_WORK + 4
        assert not any(task.done() for task in tasks)
        work.may_end.set()
        await asyncio.gather(*tasks, static)

    run_apart(scenario)


def test_request_that_fails_or_whose_reader_left_gives_its_place_up() -> None:
    async def scenario() -> None:
        work = Work()
        app = FewAtOnce(work)
        failed = [ask(app, "/fails") for _ in range(2 * AT_WORK)]
        assert all(isinstance(error, RuntimeError) for error in await asyncio.gather(*failed, return_exceptions=True))
        left = [ask(app, f"/left/{number}") for number in range(2 * AT_WORK)]
        await settle()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        work.may_begin.set()
        work.may_end.set()
        await asyncio.wait_for(asyncio.gather(*(ask(app, f"/{number}") for number in range(AT_WORK))), 10)

    run_apart(scenario)
