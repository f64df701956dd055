# syntax=docker/dockerfile:1
# One image with Coffer's programs and nothing else: no shell, no root.
# docker-compose.yml runs core and gateway of it.

FROM node:22-bookworm-slim AS web
WORKDIR /src
COPY web/package.json web/package-lock.json ./web/
RUN cd web && npm ci --no-audit --no-fund
COPY openapi.yaml ./
COPY web ./web
RUN cd web && npm run build

FROM golang:1.26.8-bookworm AS build
ARG VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/web/dist ./web/dist
COPY --from=web /src/web/dist-console ./web/dist-console
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/bin/ ./cmd/...
# What the volume begins with: a folder for each user, which the other cannot
# enter. So the gateway, which faces the network, has no way to the catalog and
# the master key.
RUN install -d -m 700 /out/core/core /out/gateway/gateway

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/bin/ /bin/
COPY --from=build --chown=65532:65532 /out/core/ /data/
COPY --from=build --chown=65533:65533 /out/gateway/ /data/
ENV PATH=/bin
USER 65532:65532
CMD ["coffer-server"]
