"""The in-memory doors: frames or arrays in, a feature matrix out, without parts and storage.

``extract_features``, ``extract_arrays`` and ``extract_rolling`` check their arguments, read through
``sources.frames``, and run the kernels on threads of this process.
"""
