"""What has to be measured in a process of its own: each module prints its result as JSON."""
