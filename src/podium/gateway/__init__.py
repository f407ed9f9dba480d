"""The gateway: what Envoy is told, how it is told, and what it says. Knows nothing of models, engines or HTTP routes.

``topology`` is the wanted state, ``resources`` and its neighbours render it, ``snapshot`` versions it, ``xds`` delivers
it and waits for the ACK, ``traffic`` moves weights, ``attempts`` reads what became of every attempt.
"""
