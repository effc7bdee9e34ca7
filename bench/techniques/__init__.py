"""How a model is made smaller: one file per technique, registered by decorator."""
