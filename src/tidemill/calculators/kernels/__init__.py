"""One module of kernels per family of calculators: a kernel sees arrays, parameters, an output slot.

A kernel knows nothing of ids, frames, threads or tables. What several families share lies in
``numerics``; the decorators that compile kernels lie in ``jit``; ``table`` says which calculator
uses which kernel.
"""
