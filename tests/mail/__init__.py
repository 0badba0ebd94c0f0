"""Mail, from what is due to what a server has taken."""
