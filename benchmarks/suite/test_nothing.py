"""A session without load tests, to see what the plugin adds to one."""


def test_nothing() -> None:
    """Pass."""
