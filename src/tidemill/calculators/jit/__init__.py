"""How kernels are compiled, cached and given what they share.

In come plain Python functions; out come compiled loops over the series of a block. This is the only
place that knows numba's options and the folder of the compile cache. It knows no calculator.
"""
