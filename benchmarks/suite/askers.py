"""The same user on three clients: it sends the same request again and again, without a pause."""

import json
import os
from typing import Any

from locust import FastHttpUser, HttpUser

from tailgate import LeanHttpUser

PATH = os.environ["BENCHMARK_PATH"]
BODY = json.loads(os.environ["BENCHMARK_BODY"])
IS_POST = os.environ["BENCHMARK_METHOD"] == "POST"


def ask(user: Any) -> None:
    """Send one request."""
    if IS_POST:
        user.client.post(PATH, json=BODY, name="Ask")
    else:
        user.client.get(PATH, name="Ask")


class LeanAsker(LeanHttpUser):
    """On tailgate's client."""

    tasks = (ask,)


class FastAsker(FastHttpUser):
    """On Locust's quick client."""

    tasks = (ask,)


class HttpAsker(HttpUser):
    """On requests."""

    tasks = (ask,)
