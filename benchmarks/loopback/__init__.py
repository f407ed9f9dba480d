"""What benchmarks over loopback share: their program and page, clients, a server, a peer."""
