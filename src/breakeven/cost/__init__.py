"""What an option costs: lines with quantity, unit price and source, and nothing beside them."""
