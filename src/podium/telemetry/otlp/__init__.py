"""OpenTelemetry: requests as spans and the metrics page as OTLP. Imported only where a collector is configured."""
