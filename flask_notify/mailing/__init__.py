"""Mail: due, claimed, rendered, stored, sent and stamped."""
