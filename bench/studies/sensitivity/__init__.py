"""What each layer costs, and which mixture to use."""
