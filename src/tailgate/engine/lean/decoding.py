"""Undo the encodings of a body."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tailgate.engine.lean.errors import AnswerTooLarge, EncodingError

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_STEP_BYTES = 1 << 20


def _import_brotli() -> Any:
    try:
        brotli = importlib.import_module("brotli")
    except ImportError:
        return None
    # Only since 1.2 its output can be limited, without which a few bytes could fill the memory.
    return brotli if hasattr(brotli.Decompressor, "can_accept_more_data") else None


_brotli = _import_brotli()
ACCEPTED = "gzip, deflate" + (", br" if _brotli else "")
"""The header ``Accept-Encoding`` of requests that do not bring their own."""


def decode(body: bytes, encodings: str, max_bytes: int) -> bytes:
    """Return the body without ``encodings``, which are those of the header ``Content-Encoding``.

    Raises:
        EncodingError: It is not encoded so, or the encoding is unknown.
        AnswerTooLarge: It would be longer than ``max_bytes``.
    """
    for encoding in reversed([token.strip().lower() for token in encodings.split(",")]):
        if encoding in {"", "identity"} or not body:
            continue
        decoder = _DECODERS.get(encoding)
        if decoder is None:
            raise EncodingError(f"the body has the unknown encoding {encoding!r}")
        body = _join(decoder(body), encoding, max_bytes)
    return body


def _join(parts: Iterator[bytes], encoding: str, max_bytes: int) -> bytes:
    decoded = bytearray()
    errors: tuple[type[Exception], ...] = (zlib.error, EOFError, *((_brotli.error,) if _brotli else ()))
    try:
        for part in parts:
            decoded += part
            if len(decoded) > max_bytes:
                raise AnswerTooLarge(f"the decoded body is longer than {max_bytes:,} bytes")
    except errors as error:
        raise EncodingError(f"the body is not {encoding}: {error}") from error
    return bytes(decoded)


def _gunzip(body: bytes) -> Iterator[bytes]:
    while body:  # Several members may follow each other.
        decoder = zlib.decompressobj(_GZIP)
        yield from _inflate(decoder, body)
        body = decoder.unused_data.lstrip(b"\0")


def _deflate(body: bytes) -> Iterator[bytes]:
    """Decode what should be zlib's format, and from some servers comes without its header."""
    is_zlib = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and not (body[0] << 8 | body[1]) % 31
    return _inflate(zlib.decompressobj(_ZLIB if is_zlib else _RAW), body)


def _inflate(decoder: Any, body: bytes) -> Iterator[bytes]:
    while body and not decoder.eof:
        yield decoder.decompress(body, _STEP_BYTES)
        body = decoder.unconsumed_tail
    yield decoder.flush()
    if not decoder.eof:
        raise EOFError("it breaks off")


def _unbrotli(body: bytes) -> Iterator[bytes]:
    if _brotli is None:
        raise EncodingError("the body is encoded by Brotli; pip install 'brotli>=1.2'")
    decoder = _brotli.Decompressor()
    yield decoder.process(body, output_buffer_limit=_STEP_BYTES)
    while not decoder.is_finished():
        if decoder.can_accept_more_data():
            raise EOFError("it breaks off")
        yield decoder.process(b"", output_buffer_limit=_STEP_BYTES)


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _unbrotli,
}
