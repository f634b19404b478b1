"""Every way to serve the workload that the catalogue's own facts allow, and what they rule out."""
