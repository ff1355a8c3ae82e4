"""Load tests of the product service: one module for each load strategy."""
