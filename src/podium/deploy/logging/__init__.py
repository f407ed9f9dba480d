"""Configurations for collectors of logs. Knows which fields may leave a node; reads and sends no line itself."""
