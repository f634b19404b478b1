"""`breakeven simulate --check`: placeholder."""
