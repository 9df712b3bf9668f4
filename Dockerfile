# Airflow with this deployment in it. The version is the one that requirements.txt pins; a test compares them.
# Slim: Airflow and its entrypoint without providers, since requirements.txt brings those that are used, pinned.
FROM apache/airflow:slim-3.3.2-python3.11

COPY --chown=airflow:root requirements.txt /opt/airflow/requirements.txt
RUN pip install --no-cache-dir --requirement /opt/airflow/requirements.txt

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root include /opt/airflow/include
COPY --chown=airflow:root bin/migrate /opt/airflow/bin/migrate
COPY --chown=airflow:root bin/roles /opt/airflow/bin/roles
COPY --chown=airflow:root bin/permissions /opt/airflow/bin/permissions
COPY --chown=airflow:root bin/check /opt/airflow/bin/check

ENV PYTHONPATH=/opt/airflow/plugins
