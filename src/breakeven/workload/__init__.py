"""What has to be served: tokens, traffic, promises, and what the user will and will not consider."""
