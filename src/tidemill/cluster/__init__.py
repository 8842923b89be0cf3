"""Features of data that already live on a Dask cluster: the public functions.

They check arguments and hand on to ``bridges/dask``, which is imported late: importing this room
loads neither Dask nor pandas.
"""

from tidemill.cluster.features import iter_features, submit_features

__all__ = ["iter_features", "submit_features"]
