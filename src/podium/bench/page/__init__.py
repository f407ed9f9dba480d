"""The report: one HTML file with its style and its charts in it. It needs no network, no script and no other file.

Nothing here reads a file; runs come in, text goes out.
"""
