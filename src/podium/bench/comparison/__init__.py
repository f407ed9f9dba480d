"""Two versions compared: which runs in which order, and what their figures prove.

The unit is the run, not the request: requests of one run share its warmth, its queue and its neighbours, so pooling
them makes differences look certain that are not. Nothing here runs anything; runs come in, a verdict goes out.
"""
