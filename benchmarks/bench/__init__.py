"""The load tester measured: against a server that knows the truth, and beside other load testers."""
