"""tsfresh's own calculators as a Prefect flow on Dask, by a distributor for its functions.

``PrefectDistributor`` goes where tsfresh takes a ``distributor``. A call is a flow whose steps are
those of tsfresh's distributors; a cluster lasts from call to call. Nothing here knows tidemill's
own calculators. Needs the extra ``tsfresh``.
"""

from tidemill.bridges.tsfresh.distributor import PrefectDistributor
from tidemill.orchestration.error_logs import shorten_errors
from tidemill.orchestration.slow_start import allow_slow_start

__all__ = ["PrefectDistributor"]

shorten_errors()
allow_slow_start()
