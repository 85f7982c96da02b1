"""The edge: plan reads, read, decode, report by exception, spool, publish."""
