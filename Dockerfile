# Sluicegate as a container: a service of its own, or a sidecar whose JSON log is tailed on standard output.
FROM python:3.13-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/sluicegate
COPY Makefile pyproject.toml uv.lock README.md LICENSE ./
COPY scripts scripts
COPY src src
RUN make install

FROM python:3.13-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/sluicegate sluicegate
WORKDIR /opt/sluicegate
COPY --from=build /opt/sluicegate /opt/sluicegate
COPY config config
COPY addons addons
ENV PATH=/opt/sluicegate/.venv/bin:$PATH \
    SLUICEGATE_STATE_DIR=/var/lib/sluicegate/state
USER sluicegate
VOLUME /var/lib/sluicegate
EXPOSE 3128 9090
HEALTHCHECK --interval=10s --timeout=3s CMD ["sluicegate", "status", "--json"]
ENTRYPOINT ["sluicegate"]
CMD ["serve", "--config", "/opt/sluicegate/config/sidecar.yaml"]
