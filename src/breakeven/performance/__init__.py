"""How fast one replica of a model runs on one kind of hardware."""
