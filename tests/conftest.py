"""What several groups of tests need."""

pytest_plugins = ["pytester"]
