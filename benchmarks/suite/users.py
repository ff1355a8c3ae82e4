"""The user class that both generators run: this file is a locustfile, and what the load test imports."""

import os

from locust import FastHttpUser, task


class BusyUser(FastHttpUser):
    """Asks for the same small answer again and again, without a pause."""

    @task
    def get(self) -> None:
        """Send one request."""
        self.client.get(os.environ["BENCHMARK_PATH"], name="Get_Answer")
