"""Heads of answers that were seen before mean what they meant to the parser."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.engine.lean import answers
from tailgate.engine.lean.answers import Answer, AnswerReader
from tailgate.engine.lean.errors import AnswerTooLarge, MalformedAnswer

HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 5\r\nX-Part: a\r\nX-Part: b\r\n\r\n"
HELLO = Answer(
    200,
    [(b"Server", b"nginx"), (b"Content-Length", b"5"), (b"X-Part", b"a"), (b"X-Part", b"b")],
    b"hello",
    {b"server": b"nginx", b"content-length": b"5", b"x-part": b"b"},
)
ANSWERS = (
    HEAD + b"hello",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\r\n\r\nok",
    HEAD + b"hello" + HEAD,
    HEAD + b"hello!",
    b"\0\0",
)


def read(*pieces: bytes, is_to_head: bool = False, most_bytes: int = 1000) -> tuple[Answer | None, bool]:
    """Return the answer in what one connection receives, and whether the connection can be used again."""
    reader = AnswerReader(max_head_bytes=500, max_answer_bytes=most_bytes)
    reader.expect(is_to_head=is_to_head)
    for piece in pieces:
        if reader.answer is None:
            with suppress(MalformedAnswer):
                reader.feed(memoryview(piece))
    return reader.answer, reader.is_reusable


def test_an_answer_whose_head_is_known_is_the_same():
    assert read(HEAD + b"hello") == (HELLO, True)
    assert read(HEAD + b"hello") == (HELLO, True)
    assert read(HEAD + b"again") == (HELLO._replace(body=b"again"), True)


def test_the_body_of_a_known_head_may_come_later():
    read(HEAD + b"hello")
    assert read(HEAD, b"he", b"llo") == (HELLO, True)
    assert read(HEAD + b"he")[0] is None


@pytest.mark.parametrize("more", [b"!", HEAD, b"\r\nHTTP/1.1 200 OK\r\n\r\n"])
def test_what_follows_an_answer_with_a_known_head_ends_the_connection(more):
    read(HEAD + b"hello")
    assert read(HEAD + b"hello" + more) == (HELLO, False)


def test_a_known_head_has_no_body_where_only_the_head_was_asked_for():
    read(HEAD + b"hello")
    assert read(HEAD, is_to_head=True) == (HELLO._replace(body=b""), True)
    assert read(HEAD + b"hello", is_to_head=True) == (HELLO._replace(body=b""), False)
    assert read(HEAD + b"hello") == (HELLO, True)


def test_the_limit_of_an_answer_holds_for_a_known_head_too():
    read(HEAD + b"hello")
    with pytest.raises(AnswerTooLarge, match="longer than 60 bytes"):
        read(HEAD + b"hello", most_bytes=60)


@given(
    first=st.sampled_from(ANSWERS),
    second=st.sampled_from(ANSWERS),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    is_to_head=st.booleans(),
)
def test_what_was_read_before_changes_no_answer(first, second, cuts, is_to_head):
    edges = [0, *sorted(min(cut, len(second)) for cut in cuts), len(second)]
    pieces = [second[begin:end] for begin, end in pairwise(edges) if begin < end]
    answers._known.clear()
    alone = read(*pieces, is_to_head=is_to_head)
    for known in (first, second):
        read(known)
    assert read(*pieces, is_to_head=is_to_head) == alone
