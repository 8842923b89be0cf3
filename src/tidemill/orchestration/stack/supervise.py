"""Keep processes running: start them in order, again if they die or hang, stop all together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.errors import StackError
from tidemill.model.counts import counted
from tidemill.orchestration.stack.children import Child
from tidemill.orchestration.stack.descendants import (
    adopt_orphans,
    below,
    end,
    flows_of,
    kill_all,
    kill_trees,
    reap,
)
from tidemill.orchestration.stack.logs import ChildLog
from tidemill.reports.text import seconds_text

__all__ = ["DEATHS", "WITHIN_SECONDS", "Supervisor", "supervised"]

#: A process that dies so often within these seconds is not started again: everything stops.
DEATHS = 5
WITHIN_SECONDS = 600.0
#: Seconds until a process is started again after the first death; then twice as long each time.
FIRST_PAUSE = 1.0
LOOK_SECONDS = 0.2
ASK_SECONDS = 1.0
#: One that was ready is asked again so often; one that leaves so many questions in a row without an
#: answer hangs. They are counted, not timed, so that a pause of the whole machine is not held
#: against anybody.
QUESTION_SECONDS = 15.0
UNANSWERED = 12
SHORTEN_SECONDS = 60.0
#: Seconds that runs in progress get to give back what they hold. Their own guard takes 12.
FLOW_SECONDS = 15.0

Tell = Callable[[str, str], None]


@dataclass(slots=True)
class _Held:
    """A child, and its process of the moment."""

    child: Child
    log: ChildLog
    process: subprocess.Popen[bytes] | None = None  # None: it waits to be started again
    started: float = 0.0  # monotonic
    since: float = 0.0  # Unix time
    log_start: int = 0  # byte of the log at which this process began
    is_ready: bool = False
    next_question: float = 0.0
    heard: float = 0.0  # Unix time of the last question that was answered
    unanswered: int = 0  # questions in a row
    again_at: float = 0.0
    deaths: list[float] = field(default_factory=list)  # monotonic

    @property
    def answers(self) -> bool:
        return self.process is not None and self.is_ready and not self.unanswered

    def last_lines(self) -> list[str]:
        return self.log.last_lines(self.log_start)


class Supervisor:
    """Starts children and keeps them running.

    Parameters
    ----------
    logs : folder of their logs
    tell : gets the name of a child and what has happened to it, a line each
    """

    def __init__(self, logs: Path, tell: Tell) -> None:
        self._logs, self._tell = logs, tell
        self._kept: list[_Held] = []
        self._others = below()  # not ours: the guard, for one
        self._next_shortening = 0.0

    def start(self, child: Child) -> None:
        """Start a child and wait until it is ready; the others are kept meanwhile.

        Raises
        ------
        StackError
            If it ends before it was ready, or is not ready within its patience.
        """
        kept = _Held(child, ChildLog(self._logs / f"{child.name}.log"))
        self._kept.append(kept)
        self._spawn(kept)
        self._tell(child.name, "starts")
        self.watch(until=lambda: kept.is_ready)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Keep the children running until the condition holds.

        Raises
        ------
        StackError
            If one of them dies too often.
        """
        while not until():
            for kept in self._kept:
                self._look_at(kept)
            reap(one.process.pid for one in self._kept if one.process is not None)
            self._shorten_logs()
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Stop runs in progress, then the children, last started first, then what is left."""
        self._tell("everything", "is being stopped")
        self._stop_flows()
        for kept in reversed(self._kept):
            if kept.process is not None:
                end(kept.process, kept.child.stop_seconds)
        kill_all(self._others)

    def kill(self) -> None:
        """End everything at once."""
        kill_all(self._others)

    def _spawn(self, kept: _Held) -> None:
        child = kept.child
        with kept.log.opened() as log:
            kept.log_start = kept.log.size()
            kept.process = subprocess.Popen(  # noqa: S603  commands of our own
                child.command,
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is not for it
            )
        kept.started, kept.since = time.monotonic(), time.time()
        kept.is_ready, kept.next_question, kept.unanswered = False, 0.0, 0

    def _look_at(self, kept: _Held) -> None:
        now = time.monotonic()
        if kept.process is None:
            if now >= kept.again_at:
                self._spawn(kept)
        elif (status := kept.process.poll()) is not None:
            self._has_died(kept, _ending(status), now)
        elif now >= kept.next_question:
            if not kept.is_ready:
                self._ask(kept, now)
            elif kept.child.is_asked_again:
                self._ask_again(kept, now)

    def _ask(self, kept: _Held, now: float) -> None:
        kept.heard = time.time()
        if kept.child.is_ready(kept.since):
            kept.is_ready = True
            taken = seconds_text(time.monotonic() - kept.started)
            self._tell(kept.child.name, f"ready after {taken}: {kept.child.address}")
        elif now - kept.started > kept.child.patience:
            assert kept.process is not None
            end(kept.process, 0.0)
            self._has_died(kept, f"was not ready within {kept.child.patience:.0f} s", now)
        kept.next_question = time.monotonic() + ASK_SECONDS

    def _ask_again(self, kept: _Held, now: float) -> None:
        """End one that runs and answers no more, so that it is started again."""
        asked = time.time()
        before = self._kept[: self._kept.index(kept)]
        if not all(one.answers for one in before if one.child.is_asked_again):
            kept.unanswered = 0  # its question may go through one of them
        elif kept.child.is_ready(kept.heard):
            kept.heard, kept.unanswered = asked, 0
        else:
            kept.unanswered += 1
        kept.next_question = time.monotonic() + QUESTION_SECONDS
        if kept.unanswered >= UNANSWERED:
            assert kept.process is not None
            end(kept.process, 0.0)
            silent = f"did not answer for {UNANSWERED * QUESTION_SECONDS:.0f} s and was killed"
            self._has_died(kept, silent, now)

    def _has_died(self, kept: _Held, how: str, now: float) -> None:
        name = kept.child.name
        was_ever_ready = kept.is_ready or kept.deaths
        kept.process = None
        kept.deaths = [when for when in kept.deaths if now - when < WITHIN_SECONDS] + [now]
        if not was_ever_ready:
            raise self._given_up(kept, f"{name} {how} before it was ready")
        count = len(kept.deaths)
        limit = f"death {count} of {DEATHS} within {WITHIN_SECONDS / 60:.0f} min"
        if count >= DEATHS:
            raise self._given_up(kept, f"{name} {how}: {limit}")
        pause = FIRST_PAUSE * 2 ** (count - 1)
        kept.again_at = now + pause
        self._tell(name, f"{how}; started again in {pause:.0f} s ({limit})")

    def _given_up(self, kept: _Held, what: str) -> StackError:
        lines = kept.last_lines()
        where = f"; everything is stopped. The last lines of {kept.log.path}:"
        return StackError(f"{what}{where if lines else '; everything is stopped'}", *lines)

    def _stop_flows(self) -> None:
        """Ask runs in progress to stop, also those whose worker has died; and wait for them."""
        workers = {one.process.pid for one in self._kept if one.process and one.child.starts_flows}
        own = {one.process.pid for one in self._kept if one.process}
        asked: set[int] = set()
        give_up = time.monotonic() + FLOW_SECONDS
        while flows := flows_of(workers, own, self._others):
            for pid in flows - asked:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            if new := len(flows - asked):
                self._tell("worker", f"stops {counted(new, 'run')} in progress")
            asked |= flows
            if time.monotonic() > give_up:
                kill_trees(flows)  # before their parents, below which they are found
                break
            reap(own)
            time.sleep(LOOK_SECONDS)

    def _shorten_logs(self) -> None:
        if time.monotonic() >= self._next_shortening:
            for kept in self._kept:
                kept.log.shorten()
            self._next_shortening = time.monotonic() + SHORTEN_SECONDS


@contextmanager
def supervised(logs: Path, tell: Tell) -> Iterator[Supervisor]:
    """A supervisor whose children are stopped at the end; a second Ctrl-C kills them at once."""
    adopt_orphans()
    supervisor = Supervisor(logs, tell)
    try:
        yield supervisor
    finally:
        try:
            supervisor.stop()
        except BaseException:
            supervisor.kill()
            raise


def _ending(status: int) -> str:
    """How a process has ended, for people.

    Examples
    --------
    >>> _ending(-9), _ending(3)
    ('was killed by SIGKILL', 'ended with status 3')
    """
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"
