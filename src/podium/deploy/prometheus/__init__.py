"""The monitor's rules for Prometheus, Alertmanager and Grafana. Renders text from settings; talks to nobody."""
