"""What a notification says: templates that Prefect's server fills in when it sends one.

A server knows the run's parameters and its last state, whose message is the verdict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = ["Message", "about_late_runs", "about_runs"]

#: Names for what the templates below show; of a run that a state change is about.
_OF_A_RUN = """\
{%- set state = event.resource["prefect.state-name"] -%}
{%- set said = flow_run.state.message or "" -%}
{%- set verdict = (state ~ ": " ~ said) if state == "Crashed" and said else (said or state) -%}
{%- set deployed = flow.name ~ "/" ~ deployment.name -%}
{%- set table = flow_run.parameters.sink or "" -%}
{%- set short = (table | string).rstrip("/").split("/")[-1] -%}
{%- set ours = flow.name == "extract-interval" and flow_run.name.startswith(short ~ "-") -%}
{%- set interval = flow_run.name[short | length + 1:] if ours else "" -%}
{%- set run, run_id = flow_run.name, flow_run.id -%}
{%- set url = (flow_run | ui_url) or "" -%}
{%- set own = namespace(given={}) -%}
{%- for name, value in flow_run.parameters.items() -%}
{%- if name != "interval_start" and value != deployment.parameters.get(name) -%}
{%- set own.given = dict(own.given, **{name: value}) -%}
{%- endif -%}
{%- endfor -%}
{%- set own.given = dict(own.given, interval_start=interval) if interval else {} -%}
{%- set again = "prefect deployment run '%s' --params '%s'" % (deployed, own.given | tojson) -%}
{%- set command = again if interval else "prefect flow-run retry " ~ run_id -%}
{%- set kind = state | lower -%}
"""
#: The same of a deployment without a good run; the event is that of its last one, if there is one.
_OF_NO_RUN = """\
{{%- set kind = "late" -%}}
{{%- set deployed = {deployed} -%}}
{{%- set table = {table} -%}}
{{%- set short = (table | string).rstrip("/").split("/")[-1] -%}}
{{%- set run = event.resource["prefect.resource.name"] if event else "" -%}}
{{%- set interval = run[short | length + 1:] if short and run.startswith(short ~ "-") else "" -%}}
{{%- set last = ("the last one was " ~ run) if run else "there was none yet" -%}}
{{%- set verdict = "Late: no good run for " ~ {max_age} ~ "; " ~ last -%}}
{{%- set run_id, url = "", "" -%}}
{{%- set command = "prefect deployment run '" ~ deployed ~ "'" -%}}
"""
_SUBJECT = "{{ verdict | truncate(120) }} ({{ deployed }})"
_BODY = """\
{{ verdict }}

Deployment: {{ deployed }}
{% if table %}Table: {{ table }}
{% endif %}{% if interval %}{{ "Last good" if kind == "late" else "Interval" }}: {{ interval }}
{% endif %}{% if run and kind != "late" %}Run: {{ run }}
{% endif %}{% if url %}Page: {{ url }}
{% endif %}To {{ "run it now" if kind == "late" else "repeat it" }}: {{ command }}"""
#: Keys of the JSON that a webhook gets, of the names above.
_KEYS = (
    "kind", "project", "deployed", "table", "interval", "verdict", "run", "run_id", "url",
    "command", "text",
)  # fmt: skip
_NAMES = {"deployed": "deployment"}


@dataclass(frozen=True, slots=True)
class Message:
    """Templates of one message, for each way to send it."""

    subject: str
    body: str
    payload: str  # JSON


def about_runs(project: str) -> Message:
    """The message about a run that failed, crashed or warned."""
    return _message(_OF_A_RUN, project)


def about_late_runs(project: str, deployed: str, table: str, max_age: str) -> Message:
    """The message about a deployment without a good run.

    Parameters
    ----------
    project : name of the file's project
    deployed : flow and name of the deployment
    table : its sink; "" if it has none
    max_age : the time without a good run, as it was given
    """
    given = {"deployed": deployed, "table": table, "max_age": max_age}
    return _message(_OF_NO_RUN.format_map({k: json.dumps(v) for k, v in given.items()}), project)


def _message(names: str, project: str) -> Message:
    pairs = [f'"{_NAMES.get(key, key)}": {{{{ {key} | string | tojson }}}}' for key in _KEYS]
    more = f"{{%- set project = {json.dumps(project)} -%}}{{%- set text -%}}{_BODY}{{%- endset -%}}"
    payload = f"{names}{more}{{{', '.join(pairs)}}}"
    return Message(f"{names}{_SUBJECT}", f"{names}{_BODY}", payload)
