"""Reports: one module a reporter, each a function from the record of a run to text or JSON."""
