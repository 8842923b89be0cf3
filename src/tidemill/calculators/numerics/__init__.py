"""Small numerical routines that kernels of several families link in: sums, dots, least squares.

In go arrays, out come numbers, in NumPy's own order of summation where tsfresh relies on NumPy.
Nothing here knows what a calculator is.
"""
