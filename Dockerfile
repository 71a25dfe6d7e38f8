# docker build -t minispod .   One image for release, web, worker and scheduler: deploy/compose.yaml starts them.

FROM node:22-slim AS pages
WORKDIR /srv/minispod
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY static static
RUN npm run vendor

FROM python:3.11-slim AS packages
WORKDIR /srv/minispod
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY portal/translations portal/translations
RUN pybabel -q compile --directory portal/translations
COPY --from=pages /srv/minispod/static static
RUN python -m whitenoise.compress --quiet static

FROM python:3.11-slim
# What WeasyPrint loads to write PDF documents.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --home-dir /srv/minispod portal
WORKDIR /srv/minispod
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000 ENVIRONMENT=production \
    XDG_CACHE_HOME=/tmp
COPY --from=packages /opt/venv /opt/venv
COPY config.py wsgi.py gunicorn.conf.py ./
COPY migrations migrations
COPY templates templates
COPY jobs jobs
COPY portal portal
COPY --from=packages /srv/minispod/portal/translations portal/translations
COPY --from=packages /srv/minispod/static static
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["gunicorn", "wsgi:app"]
