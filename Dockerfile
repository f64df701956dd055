# syntax=docker/dockerfile:1
# Three images, each with one of Coffer's programs and nothing else: no shell,
# no root, no need to write to its own file system. Their targets are server,
# gateway and cli; docker-compose.yml runs the first two.

FROM node:22-bookworm-slim AS web
WORKDIR /src
COPY web/package.json web/package-lock.json ./web/
RUN cd web && npm ci --no-audit --no-fund
COPY openapi.yaml ./
COPY console/openapi.yaml ./console/
COPY web ./web
RUN cd web && npm run build

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/web/dist ./web/dist
COPY --from=web /src/web/dist-console ./web/dist-console
ARG VERSION=unknown
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /out/bin/ ./cmd/...
# What volumes begin with: a folder for the one who uses it, which nobody else
# can enter.
RUN install -d -m 700 /out/core/core /out/gateway/gateway /out/keys/keys
# Where the core's socket and secret are for a gateway of the same group.
RUN install -d -m 750 /out/run/coffer

FROM scratch AS program
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV PATH=/bin

FROM program AS server
COPY --from=build /out/bin/coffer-server /bin/
COPY --from=build --chown=65532:65532 /out/core/ /data/
COPY --from=build --chown=65532:65532 /out/run/ /run/
ENV COFFER_SERVER_DATA=/data/core COFFER_SERVER_LISTEN=:1256
USER 65532:65532
VOLUME /data
EXPOSE 1256
HEALTHCHECK --interval=10s --timeout=6s --retries=3 --start-period=2m CMD ["coffer-server", "health"]
ENTRYPOINT ["coffer-server"]
CMD ["serve"]

FROM program AS gateway
COPY --from=build /out/bin/coffer-gateway /bin/
COPY --from=build --chown=65533:65533 /out/gateway/ /data/
ENV COFFER_GATEWAY_JWT_SECRET_FILE=/data/gateway/jwt.secret
USER 65533:65533
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=6s --retries=3 --start-period=30s CMD ["coffer-gateway", "health"]
ENTRYPOINT ["coffer-gateway"]
CMD ["serve"]

# docker run --rm -it -v coffer-keys:/keys -v "$PWD:/files" -w /files coffer-cli backup .
FROM program AS cli
COPY --from=build /out/bin/coffer /bin/
COPY --from=build --chown=65532:65532 /out/keys/ /
ENV COFFER_HOME=/keys
USER 65532:65532
VOLUME /keys
ENTRYPOINT ["coffer"]
CMD ["--help"]
