# One image for every part: migrate, serve, worker, mock-ai, keys (compose.yaml runs them all).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
# Packages change less often than code, so they are a layer of their own. --no-build: an sdist would need a compiler,
# and run what nobody locked.
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /tools && /tools/bin/pip install --quiet --require-hashes -r requirements-build.lock \
    && /tools/bin/uv venv --quiet /opt/tocsin \
    && /tools/bin/uv pip sync --quiet --python /opt/tocsin/bin/python --require-hashes --no-build requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /tools/bin/uv pip install --quiet --python /opt/tocsin/bin/python --no-deps \
    --build-constraints requirements-build.lock --require-build-hashes .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Tocsin" \
    org.opencontainers.image.description="A notification service that reads every notification with an AI before a person has to" \
    org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tocsin
COPY --from=builder /opt/tocsin /opt/tocsin
# Inside a container 127.0.0.1 is the container's own.
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TOCSIN_API__HOST=0.0.0.0 \
    TOCSIN_MOCK_AI__HOST=0.0.0.0
USER tocsin
EXPOSE 8000 8001
# No HEALTHCHECK: each part has its own, see compose.yaml.
ENTRYPOINT ["tocsin"]
CMD ["--help"]
