# Debian, not Alpine: the native core of the Temporal SDK needs glibc.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /thaw
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workflows workflows
COPY activities activities
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:20.20.2-bookworm-slim
# Certificates for TLS to S3, PostgreSQL and Temporal: the slim image has none.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /thaw
COPY --from=build /thaw/package.json ./
COPY --from=build /thaw/node_modules node_modules
COPY --from=build /thaw/dist dist
RUN ln -s /thaw/dist/src/cli/main.js /usr/local/bin/thaw && chmod +x dist/src/cli/main.js
USER node
ENTRYPOINT ["thaw"]
CMD ["--help"]
