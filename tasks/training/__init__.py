"""Training, and the forms in which networks are trained; imports torch, which the tasks themselves put off."""
