"""Read the answers that come in on one connection."""

from __future__ import annotations

from typing import NamedTuple

from httptools import HttpParserError, HttpResponseParser

from tailgate.engine.lean.errors import AnswerTooLarge, ConnectionClosed, MalformedAnswer

_FIRST_STATUS, _FIRST_FINAL_STATUS, _SWITCHING_PROTOCOLS = 100, 200, 101
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH, _ENCODING = b"content-length", b"transfer-encoding"
_MOST_KNOWN, _LONGEST_KNOWN_BYTES = 512, 4096


class Answer(NamedTuple):
    """One complete answer, as it was sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    last: dict[bytes, bytes]
    """The last header of each name, in small letters."""


_known: dict[bytes, tuple[int, Answer]] = {}
"""Length of the body, and answer without it, by the bytes of a head that the parser has read.

A server writes the same head again and again, until its clock has gone on by a second, and the same bytes mean the same
to the parser. To look them up takes half of the time.
"""


class AnswerReader:
    """The answers of one connection, one after the other.

    The methods called ``on_…`` are called by httptools' parser, which goes on from one answer to the next by itself.
    """

    def __init__(self, max_head_bytes: int, max_answer_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_answer_bytes = max_answer_bytes
        self._parser = HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._has_head = False
        self._is_to_head = False
        self.answer: Answer | None = None
        """The answer that was waited for, once it is complete."""
        self.received_bytes = 0
        """Of that answer so far."""
        self.is_reusable = False
        """Whether another request may follow on this connection."""

    def expect(self, *, is_to_head: bool) -> None:
        """Wait for the next answer; one to a HEAD request has no body, whatever its headers say."""
        if self._is_to_head:
            self._parser = HttpResponseParser(self)  # The last one still waits for that body.
        self._is_to_head = is_to_head
        self._has_head = False
        self.answer = None
        self.received_bytes = 0
        self.is_reusable = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take what was received.

        Raises:
            MalformedAnswer: It is not HTTP.
            AnswerTooLarge: There is too much of it.
        """
        self.received_bytes += len(data)
        if self.received_bytes > self._max_answer_bytes:
            raise AnswerTooLarge(f"the answer is longer than {self._max_answer_bytes:,} bytes")
        first = bytes(data) if self.received_bytes == len(data) and not self._is_to_head else b""
        if first and self._is_known(first):
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.is_reusable = False
            if self.answer is None:  # Else only what came after it is malformed, which nobody has asked for.
                raise _reason_of(error) from error
        if self.answer is None:
            if not self._has_head and self.received_bytes > self._max_head_bytes:
                raise AnswerTooLarge(f"the head of the answer is longer than {self._max_head_bytes:,} bytes")
        elif self._is_to_head and (self._chunks or data[-len(_END_OF_HEAD) :] != _END_OF_HEAD):
            self.is_reusable = False  # It had a body all the same, or has the beginning of one.
        elif first and self.is_reusable:
            _remember(first, self.answer)

    def _is_known(self, data: bytes) -> bool:
        """Take a complete answer whose head has been seen before; False leaves it to the parser."""
        body_at = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        known = _known.get(data[:body_at])
        if known is None or known[0] != len(data) - body_at:
            return False
        status, headers, _, last = known[1]
        self.answer = Answer(status, headers, data[body_at:], last)
        self.is_reusable = True
        return True

    def finish(self) -> None:
        """Take note that the server has closed the connection, which is the end of a body without a length.

        Raises:
            ConnectionClosed: It is not the end of the answer.
        """
        if not self.received_bytes:
            raise ConnectionClosed("the server closed the connection without an answer")
        if not self._has_head or self._is_framed():
            received = sum(map(len, self._chunks))
            where = f"{received} bytes into the body of" if self._has_head else "within the head of"
            raise ConnectionClosed(f"the server closed the connection {where} its answer")
        self.answer = self._answer(b"".join(self._chunks))

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody has asked for ends the use of the connection."""
        self._headers = []
        self._chunks = []
        self._has_head = False
        if self.answer is not None:
            self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers are there, which is all that a HEAD request is answered with."""
        self._has_head = True
        if self._is_to_head and self.answer is None and self._parser.get_status_code() >= _FIRST_FINAL_STATUS:
            self.is_reusable = self._stays_open()
            self.answer = self._answer(b"")

    def on_body(self, chunk: bytes) -> None:
        """Keep a piece of the body."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """An answer is over, unless it only tells that there will be one."""
        if self.answer is not None:
            return
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            if status < _FIRST_STATUS or status == _SWITCHING_PROTOCOLS:
                raise MalformedAnswer(f"status {status} is no answer to a request of HTTP/1.1")
            self._has_head = False  # Such as 103: the answer proper is still to come.
            return
        self.is_reusable = self._parser.should_keep_alive()
        self.answer = self._answer(b"".join(self._chunks))

    def _answer(self, body: bytes) -> Answer:
        headers = self._headers
        last = {name.lower(): value for name, value in headers}
        return Answer(self._parser.get_status_code(), headers, body, last)

    def _stays_open(self) -> bool:
        """Tell whether the connection does, after a head; the parser says no if it would read on to the end."""
        options = [token for value in self._values(b"connection") for token in value.replace(b",", b" ").split()]
        return b"close" not in options and (self._parser.get_http_version() == "1.1" or b"keep-alive" in options)

    def _is_framed(self) -> bool:
        """Tell whether the head says where the body ends."""
        encodings = self._values(b"transfer-encoding")
        return any(value.endswith(b"chunked") for value in encodings) or bool(self._values(b"content-length"))

    def _values(self, wanted: bytes) -> list[bytes]:
        return [value.strip().lower() for name, value in self._headers if name.lower() == wanted]


def _remember(data: bytes, answer: Answer) -> None:
    """Keep the head of an answer that was received in one piece, with a body of the length that it states."""
    if answer.last.get(_LENGTH) != b"%d" % len(answer.body) or _ENCODING in answer.last:
        return
    body_at = len(data) - len(answer.body)
    if data.find(_END_OF_HEAD) + len(_END_OF_HEAD) == body_at <= _LONGEST_KNOWN_BYTES:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[data[:body_at]] = len(answer.body), answer._replace(body=b"")


def _reason_of(error: Exception) -> BaseException:
    """Return what is wrong with an answer that the parser refuses."""
    if error.__context__ is not None:  # What a method above raised; the parser puts its own error around it.
        return error.__context__
    return MalformedAnswer(f"the answer is not HTTP: {error}")
