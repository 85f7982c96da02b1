"""Whose turn it is on a line: one request at a time, commands before polls.

A command waits for the request that is under way and for commands that came before it, never for a poll that has not
begun. So that commands can't starve the polls, a poll that waits gets its turn after `IN_A_ROW` commands.
"""

from __future__ import annotations

import asyncio
from collections import deque

IN_A_ROW = 8
"""Commands between two polls, at most."""


class Turn:
    """`take` before a request, `release` after it, whatever became of it."""

    def __init__(self) -> None:
        self._taken = False
        self._row = 0
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._polls: deque[asyncio.Future[None]] = deque()

    def seize(self) -> bool:
        """Take the turn if it is free; whether it was."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def take(self, *, urgent: bool = False) -> None:
        """Wait for the turn."""
        if self.seize():
            return
        queue = self._urgent if urgent else self._polls
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():  # the turn was handed over in the same moment
                self.release()
            elif future in queue:  # else a release came in between and threw it out
                queue.remove(future)
            raise

    def release(self) -> None:
        """Hand the turn on."""
        for queue in (self._urgent, self._polls):
            while queue and queue[0].done():
                queue.popleft()
        polls_first = self._row >= IN_A_ROW or not self._urgent
        queue = self._polls if self._polls and polls_first else self._urgent
        if not queue:
            self._taken, self._row = False, 0
            return
        self._row = self._row + 1 if queue is self._urgent else 0
        queue.popleft().set_result(None)
