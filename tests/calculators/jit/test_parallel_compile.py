"""Missing kernels are shared out among processes, each compiled by one."""

from __future__ import annotations

import json

import pytest

from tidemill.calculators.jit import parallel_compile as module
from tidemill.calculators.jit.parallel_compile import CompileJob, fill

JOBS = [CompileJob(f"kernels.some:k{n}", ("float64",), ()) for n in range(20)]


class Fake:
    """A kernel that is only noted."""

    def __init__(self, path, ready):
        self.path, self.ready = path, ready

    def is_ready(self, *types):
        assert types == (("float64",), ())
        return self.path in self.ready

    def compile(self, inputs, parameters):
        assert isinstance(inputs, tuple)
        assert isinstance(parameters, tuple)
        self.ready.append(self.path)


@pytest.fixture
def ready(monkeypatch, tmp_path):
    compiled = []
    monkeypatch.setattr(module, "load_kernel", lambda path: Fake(path, compiled))
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(module, "note_compiled", int)
    return compiled


@pytest.fixture
def cores(monkeypatch):
    def set_to(count):
        cpus = set(range(count))
        monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: cpus, raising=False)

    return set_to


@pytest.mark.parametrize(
    ("missing", "count", "helpers"), [(7, 8, 0), (8, 8, 1), (20, 8, 2), (100, 8, 3), (100, 1, 0)]
)
def test_helpers_are_started_if_they_are_worth_it(missing, count, helpers, cores):
    cores(count)
    assert module._helpers(JOBS[:1] * missing) == helpers


def test_few_kernels_wait_for_their_first_use(ready, cores):
    cores(8)
    assert fill(JOBS[:7]) == 0
    assert ready == []


def test_what_is_claimed_is_left_to_the_other(ready, tmp_path):
    (tmp_path / "0").touch()
    (tmp_path / "2").touch()
    module._work_off(JOBS[:4], tmp_path)
    assert ready == [JOBS[1].path, JOBS[3].path]


def test_jobs_survive_the_file_that_helpers_read(ready, tmp_path):
    module._work_off(json.loads(json.dumps(JOBS[:2])), tmp_path)
    assert ready == [job.path for job in JOBS[:2]]


def test_all_that_is_missing_is_compiled_even_if_helpers_die(ready, cores, monkeypatch):
    cores(8)
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    ready.append(JOBS[0].path)
    assert fill(JOBS) == 19
    assert sorted(ready) == sorted(job.path for job in JOBS)
    assert fill(JOBS) == 0
