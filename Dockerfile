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
# New volumes take these owners: `scar keys make` writes there.
RUN install -d -o scar -g scar -m 0755 /keys /keys/api /keys/telegram /keys/github /keys/worker \
    /keys/trusted
USER scar
CMD ["scar", "api"]

# The worker: Git, libnftables for deploys without downtime, and the Docker command line with a Compose that reports progress as JSON (2.29).
# trixie's is older; forky's needs nothing newer than trixie has. An index past its date on a
# mirror is still a signed one.
FROM scar AS worker
RUN mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' \
        | awk '$1 == "trixie" {print $2; exit}') \
    && key=/usr/share/keyrings/debian-archive-keyring.gpg \
    && echo "deb [signed-by=$key] $mirror forky main" >/etc/apt/sources.list.d/forky.list \
    && printf 'Package: *\nPin: release n=forky\nPin-Priority: 100\n' >/etc/apt/preferences.d/forky \
    && apt-get -o Acquire::Check-Valid-Until=false update \
    && apt-get install -y --no-install-recommends git openssh-client libnftables1 \
        docker-cli/forky docker-compose/forky docker-buildx/forky \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
# A new volume takes this mode and owner: nobody else may enter the state.
RUN install -d -m 0700 /var/lib/scar
CMD ["scar", "worker"]

FROM ${BASE} AS redis
RUN apt-get update \
    && apt-get install -y --no-install-recommends redis-server \
    && apt-get clean && rm -rf /var/lib/apt/lists/* && mkdir -p /data && chown redis:redis /data
USER redis
WORKDIR /data
CMD ["redis-server"]
