"""One module of kernels per family of calculators.

A kernel sees arrays, parameters and an output slot. It knows nothing of ids, frames, threads or
tables. What several families share lies in ``numerics``; the decorators that compile kernels lie in
``jit``; ``table`` says which calculator uses which kernel.
"""
