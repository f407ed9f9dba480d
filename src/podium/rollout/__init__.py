"""Moving traffic to a new version, and judging it. Knows gateways and monitors only through ports."""
