"""The table of calculators: one row each, from which names, presets, docs and tests are derived.

In come specs and kernels; out goes the registry's content. A new calculator is a kernel and a row
here. Nothing here runs a kernel.
"""
