# syntax=docker/dockerfile:1
# Targets: bot and api (no torch), worker (GPU or CPU), trainer. Build one with: docker build --target bot -t otklik-bot .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    STORAGE_DIR=/data
RUN useradd --system --uid 10001 --create-home otklik && install -d -o otklik -g otklik /data
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY otklik otklik
COPY storage storage

FROM base AS bot
COPY bot bot
RUN pip install -e ".[postgres]" && python -m compileall -q /app
USER otklik
VOLUME /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python", "-m", "otklik.alive", "bot"]
ENTRYPOINT ["otklik", "bot"]

FROM bot AS api
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python", "-m", "otklik.alive", "api"]
ENTRYPOINT ["otklik", "api"]

FROM base AS learning
# The default index brings CUDA builds of torch; for a machine without a GPU build with
# --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_INDEX=
COPY models models
COPY training training
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 && pip install -e ".[ml,postgres]"
RUN python -m compileall -q /app && install -d -o otklik -g otklik /models
USER otklik
VOLUME /data

FROM learning AS worker
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s CMD ["python", "-m", "otklik.alive", "worker"]
ENTRYPOINT ["otklik", "worker"]

FROM learning AS trainer
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-m", "otklik.alive", "trainer"]
ENTRYPOINT ["otklik", "trainer"]
