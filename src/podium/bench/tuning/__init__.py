"""From a model, this machine and objectives to a configuration: what is tried, what is left of it, what is proven.

Candidates are measured in rungs, each with half as many that run twice as long (successive halving); the one that is
left is compared with the default by runs in turns, so that what is recommended is proven and not the luckiest of many.
"""
