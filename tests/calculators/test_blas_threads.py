"""Pools of BLAS have one thread while somebody calculates, and then as many as before."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tidemill.calculators.blas_threads import one_pool_thread


def sizes():
    return [pool["num_threads"] for pool in threadpool_info()]


@pytest.fixture(autouse=True)
def two_threads():
    np.linalg.norm(np.eye(2))
    with threadpool_limits(2):
        yield


def test_the_last_user_restores_the_pools():
    before = sizes()
    with one_pool_thread():
        with one_pool_thread():
            assert set(sizes()) == {1}
        assert set(sizes()) == {1}
    assert sizes() == before


def test_an_error_restores_them_too():
    before = sizes()
    with pytest.raises(ValueError, match="stop"), one_pool_thread():
        raise ValueError("stop")
    assert sizes() == before


def test_a_user_that_leaves_first_changes_nothing_for_the_other():
    before = sizes()
    first, second = one_pool_thread(), one_pool_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(sizes()) == {1}
    second.__exit__(None, None, None)
    assert sizes() == before
