"""From an option of a plan to the text that sets it up, and what each resource costs. Nothing is called."""
