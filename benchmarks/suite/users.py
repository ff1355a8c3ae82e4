"""The user class that both generators run: this file is a locustfile, and what the load test imports."""

import os

from locust import task

if os.environ.get("BENCHMARK_CLIENT") == "lean":
    from tailgate import LeanHttpUser as HttpUser
else:
    from locust import FastHttpUser as HttpUser


class BusyUser(HttpUser):
    """Asks for the same small answer again and again, without a pause."""

    @task
    def get(self) -> None:
        """Send one request."""
        self.client.get(os.environ["BENCHMARK_PATH"], name="Get_Answer")
