def discuss(run): return []
