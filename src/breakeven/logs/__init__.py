"""Usage logs: read where they lie, measured as a whole, priced request by request."""
