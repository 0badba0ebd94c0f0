"""Messages: their types, who gets what and how, writing them, and reading them."""
