"""One file a study: sensitivity, distill, train, export, inspect, selfcheck."""
