"""How good the alarm system itself is: its figures over a period against the benchmarks of EEMUA 191 and ISA-18.2."""
