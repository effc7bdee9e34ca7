"""What runtimes share that execute a graph of their own."""
