# Debian, not Alpine: the native core of the Temporal SDK needs glibc.
ARG NODE_VERSION=20.20.2
FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /thaw
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workflows workflows
COPY activities activities
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund
# The pinned Temporal CLI, for services and commands without a cluster.
RUN node --input-type=module --eval "import { obtainTool } from '/thaw/dist/src/stack/tool.js'; const log = (line) => process.stderr.write(line + '\\n'); process.stdout.write(await obtainTool('temporal', { log }))" > /temporal.path \
  && install --mode=755 "$(cat /temporal.path)" /usr/local/bin/temporal

FROM node:${NODE_VERSION}-bookworm-slim
# Of the server's version or newer: docker build --build-arg PG_VERSION=17
ARG PG_VERSION=16
# Certificates for TLS to S3, PostgreSQL and Temporal: the slim image has none. And psql, pg_restore and pg_dump, of
# the versions that PostgreSQL's own repository has.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && apt-get install --yes --no-install-recommends postgresql-client-${PG_VERSION} \
  && rm -rf /var/lib/apt/lists/*
ENV PG_BIN=/usr/lib/postgresql/${PG_VERSION}/bin
COPY --from=build /usr/local/bin/temporal /usr/local/bin/temporal
# The state of the own Temporal server: what was begun goes on after a restart only where this is kept.
RUN install --directory --owner=node --group=node --mode=700 /var/lib/thaw
ENV THAW_STATE_DIR=/var/lib/thaw
VOLUME /var/lib/thaw
ENV NODE_ENV=production
WORKDIR /thaw
COPY --from=build /thaw/package.json ./
COPY --from=build /thaw/node_modules node_modules
COPY --from=build /thaw/dist dist
RUN ln -s /thaw/dist/src/cli/main.js /usr/local/bin/thaw && chmod +x dist/src/cli/main.js
USER node
ENTRYPOINT ["thaw"]
CMD ["service"]
