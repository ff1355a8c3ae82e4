"""The fixtures of this project's load tests."""

pytest_plugins = ["fixtures.stack", "fixtures.docker", "fixtures.books", "fixtures.duet"]
