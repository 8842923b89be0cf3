"""A project's prefect.yaml: read, checked, compared with a server, and applied to it.

In comes a folder; out come deployments, schedules and automations on a Prefect server, and a
diff of what would change. What ``prefect deploy`` does well is left to Prefect.
"""
