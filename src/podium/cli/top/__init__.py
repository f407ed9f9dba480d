"""``podium top``: the page of the control port, in a terminal."""
