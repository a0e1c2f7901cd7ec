# One image for every part: migrate, serve, worker, mock-ai, keys (compose.yaml runs them all).
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
# strip: of 60 MB of compiled extensions 45 are symbols for debuggers. No version: it leaves nothing behind here.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
# Packages change less often than code, so they are a layer of their own; what was downloaded is kept beside the
# layers, for the next build. --no-build: an sdist would need a compiler, and run what nobody locked.
COPY requirements-build.lock requirements.lock ./
RUN --mount=type=cache,target=/cache \
    python -m venv /tools \
    && /tools/bin/pip install --quiet --require-hashes -r requirements-build.lock \
    && /tools/bin/uv venv --quiet /opt/tocsin \
    && /tools/bin/uv pip sync --quiet --python /opt/tocsin/bin/python --require-hashes --no-build requirements.lock \
    && find /opt/tocsin -name '*.so*' -type f -exec strip --strip-unneeded {} +
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN --mount=type=cache,target=/cache \
    /tools/bin/uv pip install --quiet --python /opt/tocsin/bin/python --no-deps \
    --build-constraints requirements-build.lock --require-build-hashes .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Tocsin" \
    org.opencontainers.image.description="A notification service that reads every notification with an AI before a person has to" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
# Nothing is ever installed here, so what could install goes. The folder of secrets belongs to the user, so that a
# new volume that is mounted on it does, too.
RUN python -c "import ensurepip, pip, shutil; [shutil.rmtree(tool.__path__[0]) for tool in (ensurepip, pip)]" \
    && rm -rf /usr/local/bin/pip* ~/.cache \
    && groupadd --system --gid 10001 tocsin \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tocsin \
    && install --directory --owner=10001 --group=10001 --mode=0755 /run/secrets
COPY --from=builder /opt/tocsin /opt/tocsin
# Inside a container 127.0.0.1 is the container's own. Secrets are files where Docker and Kubernetes put them; the
# linter takes the name of their folder for one of them.
# hadolint ignore=DL3064
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TOCSIN_SECRETS_DIR=/run/secrets \
    TOCSIN_API__HOST=0.0.0.0 \
    TOCSIN_WORKER__METRICS_HOST=0.0.0.0 \
    TOCSIN_MOCK_AI__HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000 8001 9101
# No HEALTHCHECK: each part has its own, see compose.yaml.
ENTRYPOINT ["tocsin"]
CMD ["--help"]
