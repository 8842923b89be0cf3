"""Files, the lease and the published table: everything that has to survive a crash.

In come bytes, markers, records and parts; out go stores, a lease, and a Delta table or a single
file that readers see change in one step. This room knows the layout of ``_tidemill`` and object
storage; it does not know where the rows came from, what a calculator is, or Prefect.
"""
