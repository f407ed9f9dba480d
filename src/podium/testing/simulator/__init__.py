"""A server that pretends to be a model and writes down the truth: what a load tester must find in it.

It speaks OpenAI's streaming completions and chat. Delays, lengths and faults are drawn from a seed, and every frame
that it sends goes into a log with its time, on the clock that all processes of a machine share.
"""
