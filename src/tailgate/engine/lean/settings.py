"""What a user class says about its client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ssl import SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The attributes of `LeanHttpUser` that its client needs; they are described there."""

    connection_timeout_s: float
    network_timeout_s: float
    request_timeout_s: float
    max_redirects: int
    max_head_bytes: int
    max_answer_bytes: int
    is_insecure: bool
    ssl_context_factory: Callable[[], SSLContext] | None
    default_headers: Mapping[str, str]
