# One base image for everything, so that a host that can pull nothing needs only that one.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS wheels
WORKDIR /build
COPY requirements.lock .
RUN pip wheel --no-cache-dir --require-hashes -r requirements.lock -w /wheels
COPY pyproject.toml README.md ./
COPY scar scar
COPY workers workers
RUN pip wheel --no-cache-dir --no-deps -w /wheels .

FROM ${BASE} AS scar
RUN --mount=from=wheels,source=/wheels,target=/wheels \
    python3 -m venv /opt/scar \
    && /opt/scar/bin/pip install --no-cache-dir --no-index --find-links /wheels scar-docker \
    && useradd --system --uid 10001 --create-home scar
ENV PATH=/opt/scar/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv

# API and front-ends: no Docker socket, no root.
FROM scar AS front
USER scar
CMD ["scar", "api"]

# The worker: the Docker command line with Compose, and Git.
FROM scar AS worker
RUN apt-get update \
    && apt-get install -y --no-install-recommends docker-cli docker-compose docker-buildx git \
    && rm -rf /var/lib/apt/lists/*
CMD ["scar", "worker"]

FROM ${BASE} AS redis
RUN apt-get update \
    && apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* && mkdir -p /data && chown redis:redis /data
USER redis
WORKDIR /data
CMD ["redis-server"]
