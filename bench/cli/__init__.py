"""One file a command, named for it: its options, what it calls, what it prints."""
