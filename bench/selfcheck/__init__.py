"""How far this machine's latencies can be trusted, found out on the machine itself."""
