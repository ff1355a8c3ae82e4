"""The access log of a running nginx, whoever can reach its file."""

from __future__ import annotations

import http.client
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from tailgate.errors import TailgateError
from tailgate.stack.access_log import MARK_PREFIX, AccessLogEntry, parse_access_log

FLUSH_TIMEOUT_S = 5.0
_SHORTAGE = re.compile(r"\d+ worker_connections are not enough|\(24: [^)]+\)")
"""What nginx writes when it has no room for a connection; 24 is EMFILE, whose text is that of the C library."""


class NginxLog(ABC):
    """What nginx has logged so far; a part of `Nginx` and of `NginxContainer`."""

    name: str
    poll_s: float
    _shortages_told = 0

    @property
    @abstractmethod
    def address(self) -> str:
        """``HOST:PORT``."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""

    @abstractmethod
    def _log_size(self) -> int:
        """Return the size of the log in bytes."""

    @abstractmethod
    def _read_log(self, since: int) -> bytes:
        """Return what is in the log after the position ``since``."""

    @abstractmethod
    def _reopen_log(self) -> None:
        """Make nginx open its log again, which begins with writing what is still in memory."""

    @abstractmethod
    def _read_messages(self) -> str:
        """Return what nginx wrote to its standard error since it was started first."""

    def take_shortage(self) -> str | None:
        """Return one sentence if nginx had too few connections or files since the last call, otherwise None."""
        found = _SHORTAGE.findall(self._read_messages())
        fresh, self._shortages_told = found[self._shortages_told :], len(found)
        if not fresh:
            return None
        return (
            f"{self.name} had no room for every connection ({fresh[-1].strip('()')}), which is not the service's "
            "fault; have fewer requests at once, or give it a template and a system that allow more"
        )

    def access_log_position(self) -> int:
        """Return where the access log ends after every request so far, in bytes, for `access_log_entries`.

        Raises:
            TailgateError: nginx does not run or did not write its log.
        """
        self._flush_access_log()
        return self._log_size()

    def access_log_entries(self, since: int = 0) -> tuple[AccessLogEntry, ...]:
        """Return the requests that ended after the position ``since``, in the order of their ends.

        Raises:
            TailgateError: nginx does not run or did not write its log.
        """
        self._flush_access_log()
        # A path may have bytes that are no UTF-8, and characters that other programs take for the end of a line.
        *lines, _ = self._read_log(since).decode(errors="replace").split("\n")
        return parse_access_log(lines)

    def locate(self) -> Callable[[object], Iterator[tuple[str, dict[str, float]]]]:
        """Take note of where the access log ends, and return what then tells where requests spent their time.

        For `load.locate`: ``load.locate(stack.nginx.locate)``.
        """
        since = self.access_log_position()
        return lambda _run: ((entry.request_id, entry.shares_ms) for entry in self.access_log_entries(since))

    def _flush_access_log(self) -> None:
        """Make nginx write its buffer, and wait until a request that was made last is in the log."""
        if not self.is_running:
            raise TailgateError(f"{self.name} does not run, so its access log is not complete")
        before = self._log_size()
        mark = f"{MARK_PREFIX}{secrets.token_hex(8)}"
        connection = http.client.HTTPConnection(self.address, timeout=FLUSH_TIMEOUT_S)
        try:
            connection.request("GET", mark, headers={"Connection": "close"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as err:
            why = str(err) or type(err).__name__
            raise TailgateError(f"{self.name} did not answer, so its access log is not complete: {why}") from err
        finally:
            connection.close()
        self._reopen_log()
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while mark.encode() not in self._read_log(before):
            if time.monotonic() > deadline:
                raise TailgateError(f"{self.name} did not write its access log in {FLUSH_TIMEOUT_S:.0f} s")
            time.sleep(self.poll_s)
