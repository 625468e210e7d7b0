FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The caches are mounts, not layers, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked && \
    install --strip target/release/chancery /usr/local/bin/

FROM debian:bookworm-slim
# For --state: a volume that is mounted here belongs to Chancery's user.
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/chancery
# The roots that a TLS connection to etcd or Consul is verified against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/bin/chancery /usr/local/bin/
USER 65532:65532
# xDS and admin.
EXPOSE 18000 9180
HEALTHCHECK --interval=2s --timeout=2s --start-period=5s --retries=5 CMD ["chancery", "health"]
ENTRYPOINT ["chancery"]
CMD ["serve"]
