FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1 \
    MINGZHANG_DATA=/data \
    MINGZHANG_KEYS=/keys/keys.json \
    MINGZHANG_HOST=0.0.0.0 \
    MINGZHANG_PORT=8000

WORKDIR /srv/mingzhang
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r requirements.lock

RUN groupadd --gid 10001 mingzhang \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin mingzhang \
    && install -d -o mingzhang -g mingzhang -m 0700 /data /keys
COPY . ./
RUN python -m compileall -q domain application projections interface

USER mingzhang
EXPOSE 8000
ENTRYPOINT ["python", "-m", "interface.cli"]
CMD ["serve"]
