"""Prefect and Dask: servers, clusters, task runs, and work on workers that may die.

In come the engine's plain functions and a cluster specification; out come results that survived
lost workers and servers. ``deploy`` reads prefect.yaml and applies it. With ``flows``, ``tasks``
and ``cli`` this is where Prefect and Dask may be imported.
"""
