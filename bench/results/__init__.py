"""What is saved (run, row, study), and how it is judged."""
