"""The data sets, their training recipes and the models they supply; one file per data set.

``tasks`` stands on ``models`` and knows nothing of ``bench``.
"""
