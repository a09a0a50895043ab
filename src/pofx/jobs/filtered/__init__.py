"""A filter over a corpus: a sharded job that judges, a join that finds copies, and two directories of documents."""
