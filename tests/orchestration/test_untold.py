"""Ends of runs that the server could not be told are told by the next run of the same table."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.states import Completed, Crashed, Failed, Running

from tidemill.orchestration.untold import Untold, forget, tell_untold, write_untold
from tidemill.storage.layout import SinkLayout
from tidemill.storage.processes import Process


@flow(name="stands-for-extract")
def some_flow(sink: str):
    """Stands for a run whose server was silent when it ended."""


@task
def stand_in():
    """Stands for a chunk."""


@pytest.fixture
def layout(tmp_path):
    return SinkLayout.of(tmp_path / "matrix")


def left(layout):
    return [entry.path for entry in layout.untold.folder()[0]]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("ended", [Completed(message="done"), Failed(message="a bad series")])
def test_the_next_run_tells_how_an_earlier_one_ended(layout, ended):
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(some_flow, parameters={"sink": layout.url}, state=Running())
        chunk = client.create_task_run(stand_in, run.id, "a", state=Running())
        write_untold(layout, Untold.of(run.id, ended))
        tell_untold(client, layout)
        state = client.read_flow_run(run.id).state
        assert client.read_task_run(chunk.id).state.type == ended.type
    assert (state.type, state.name) == (ended.type, ended.name)
    assert state.message.startswith(f"{ended.message}; told later")
    assert left(layout) == []


@pytest.mark.usefixtures("prefect_server")
def test_only_the_runs_of_this_table_are_ended_and_only_in_the_attempt_that_ended(layout, tmp_path):
    """A file says nothing of runs of other tables, started again, ended, or unknown."""
    with get_client(sync_client=True) as client:

        def made(sink, state):
            return client.create_flow_run(some_flow, parameters={"sink": str(sink)}, state=state).id

        other = made(tmp_path / "another", Running())
        again, ended = made(layout.url, Running()), made(layout.url, Crashed())
        for run in (other, ended, uuid4()):
            write_untold(layout, Untold.of(run, Completed()))
        early = replace(Untold.of(again, Completed()), ended="2020-01-01T00:00:00+00:00")
        write_untold(layout, early)
        layout.untold.write("torn.json", b'{"run": ')
        tell_untold(client, layout)
        names = [client.read_flow_run(one).state.name for one in (other, again, ended)]
    assert names == ["Running", "Running", "Crashed"]
    assert left(layout) == []


@pytest.mark.usefixtures("prefect_server")
def test_a_run_whose_process_was_killed_is_ended_and_one_that_lasts_is_not(layout):
    here = Process.current()
    dead, elsewhere = replace(here, started=0.0), replace(here, host="another/1/2")
    with get_client(sync_client=True) as client:

        def made(process, state):
            run = client.create_flow_run(some_flow, parameters={"sink": layout.url}, state=state).id
            write_untold(layout, replace(Untold.lasting(run), process=process))
            return run

        processes = (here, dead, elsewhere)
        runs = [made(process, Running()) for process in processes] + [made(elsewhere, Crashed())]
        tell_untold(client, layout)
        states = [client.read_flow_run(run).state for run in runs]
    assert [state.name for state in states] == ["Running", "Crashed", "Running", "Crashed"]
    assert states[1].message == "its process died"
    assert left(layout) == sorted(f"{run}.json" for run in (runs[0], runs[2]))
    forget(layout, runs[0])
    assert left(layout) == [f"{runs[2]}.json"]


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_had_ended_well_before_it_was_found_dead_is_completed(layout):
    with get_client(sync_client=True) as client:

        def made(*states):
            run = client.create_flow_run(
                some_flow, parameters={"sink": layout.url}, state=Running()
            ).id
            write_untold(layout, Untold.of(run, Completed()))
            for state in states:
                client.set_flow_run_state(run, state, force=True)
            return run

        runs = made(Crashed()), made(Crashed(), Running(), Crashed()), made(Failed())
        tell_untold(client, layout)
        states = [client.read_flow_run(run).state.name for run in runs]
    assert states == ["Completed", "Crashed", "Failed"]
