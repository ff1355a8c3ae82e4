"""The fixtures of this project's load tests."""

pytest_plugins = ["fixtures.stack", "fixtures.books", "fixtures.duet"]
