"""The users and shapes of the load tests for plain Locust, to be run by hand: web UI, headless, or many workers."""
