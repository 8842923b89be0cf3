"""Least squares for kernels: two ways to the triangle of a regression, and what it tells.

``r`` is float64[p, p + 1]: the upper triangle R of the p regressors and, in the last column, the
target's part z, so that R b = z gives the coefficients. Cholesky's way starts from products of the
columns, Gram-Schmidt's from the columns themselves: that takes longer for many rows, and is exact
for columns that are nearly dependent.
"""

from __future__ import annotations

import math

from tidemill.calculators.jit.decorators import helper

__all__ = ["decompose", "dot", "inverse_norm", "invert", "orthogonalise", "solve_triangle"]


@helper
def decompose(r):
    """Turn the products of the columns, above the diagonal of ``r``, into the triangle.

    False if the columns are dependent.
    """
    p = len(r)
    for k in range(p):
        if not r[k, k] > 0.0:
            return False
        scale = 1 / math.sqrt(r[k, k])
        top = r[k]
        for c in range(k, p + 1):
            top[c] *= scale
        for i in range(k + 1, p):
            part, row = top[i], r[i]
            for c in range(i, p + 1):
                row[c] -= part * top[c]
    return True


@helper
def dot(x, y):
    """The product of two vectors, by four running sums."""
    n = len(x)
    p = q = r = s = 0.0
    for i in range(0, n - n % 4, 4):
        p += x[i] * y[i]
        q += x[i + 1] * y[i + 1]
        r += x[i + 2] * y[i + 2]
        s += x[i + 3] * y[i + 3]
    for i in range(n - n % 4, n):
        p += x[i] * y[i]
    return (p + q) + (r + s)


@helper
def orthogonalise(a, r):
    """Fill the triangle from columns; return the sum of the squared residuals.

    ``a`` is float64[p + 1, n], the target last; it ends as orthogonal columns and the residuals.
    With the target as last column, the modified Gram-Schmidt method is as exact as Householder's.
    """
    p = len(r)
    for j in range(p):
        q = a[j]
        length = math.sqrt(dot(q, q))
        r[j, j] = length
        for i in range(len(q)):
            q[i] /= length
        for k in range(j + 1, p + 1):
            column = a[k]
            part = dot(q, column)
            r[j, k] = part
            for i in range(len(q)):
                column[i] -= part * q[i]
    return dot(a[p], a[p])


@helper
def solve_triangle(r, b):
    """Fill the coefficients b of R b = z."""
    p = len(r)
    for j in range(p - 1, -1, -1):
        total = r[j, p]
        for k in range(j + 1, p):
            total -= r[j, k] * b[k]
        b[j] = total / r[j, j]


@helper
def invert(r, last, inverse):
    """Fill the inverse of the triangle with ``last`` below its last column."""
    size = len(inverse)
    for j in range(size - 1, -1, -1):
        row = inverse[j]
        row[:] = 0.0
        row[j] = 1.0
        for k in range(j + 1, size):
            part, below = r[j, k], inverse[k]
            for c in range(k, size):
                row[c] -= part * below[c]
        pivot = r[j, j] if j < len(r) else last
        for c in range(j, size):
            row[c] /= pivot


@helper
def inverse_norm(r, inverse):
    """The Frobenius norm of the inverse of the regressors' triangle; ``inverse`` is scratch."""
    invert(r, 1.0, inverse)
    total = 0.0
    for j in range(len(inverse)):
        total += dot(inverse[j], inverse[j])
    return math.sqrt(total)
