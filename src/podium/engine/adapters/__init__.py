"""One module for each engine library, loaded inside worker processes only. The table is in ``table.py``."""
