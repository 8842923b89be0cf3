"""The in-memory doors: frames or arrays in, a feature matrix out, without parts and storage.

``extract_features``, ``extract_arrays``, ``extract_rolling`` and ``extract_at`` check their
arguments, read through ``sources.frames``, and run the kernels on threads of this process;
``feature_costs`` measures what each calculator costs. Only a sink given by its path is written.
Nothing here may know Prefect, Dask, schedules or runs.
"""
