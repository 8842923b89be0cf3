"""What ``tidemill cluster`` prints."""

from __future__ import annotations

from dataclasses import replace

from tidemill.reports.cluster_text import cluster_text, logs_text

from ..support.clusters import RUN, look_at_two


def test_the_scheduler_its_workers_and_what_differs():
    text = cluster_text(look_at_two(failed={"probe": 2}))
    assert "Scheduler        tcp://10.0.0.1:8786, up for 1 min 15 s" in text
    assert "2 on 2 hosts, 8 threads, 2.0 GiB of 8.0 GiB of memory" in text
    assert f"Runs             {RUN}" in text
    assert "Waiting          sum 1" in text
    assert "Failed           probe 2" in text
    first, second = (line for line in text.splitlines() if line.startswith("tcp://"))
    assert first.endswith("running")
    assert "second" in second
    assert second.endswith("calculate_features 2  running, no nanny, silent for 1 min 30 s")
    assert "! differs        tcp://10.0.0.3:40002: numpy 2.2.0 (here 2.3.0)" in text


def test_a_worker_that_does_not_answer_is_marked():
    look = look_at_two()
    mute = replace(look.workers[0], versions={}, memory_limit=0)
    text = cluster_text(replace(look, workers=[mute]))
    assert "! unknown        tcp://10.0.0.2:40001 did not answer" in text
    assert "1.0 GiB of memory" in text


def test_without_a_worker_it_says_how_one_is_started():
    text = cluster_text(look_at_two(workers=[], runs=[]))
    assert "Workers          none; start one with: dask worker tcp://10.0.0.1:8786" in text
    assert "Runs             none of tidemill's" in text


def test_what_a_log_holds_cannot_colour_the_terminal():
    assert logs_text({"scheduler": [("INFO", "\x1b[31mred")]}) == "scheduler\n  \\x1b[31mred"
