"""One measurement in several files: blocks, rounds, disturbance, affinity."""
