"""The service under test: a small shop over PostgreSQL that any number of instances can share."""
