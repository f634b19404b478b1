"""How many replicas and machines the traffic needs, hour by hour."""
