"""What AWS would run around the function, on this machine: processes that speak as its services do, and no more."""
