# The images of docker-compose.yml, where an image registry is in reach. Elsewhere: scripts/images.
# The cache mounts need BuildKit, which Docker has on since version 23. There is no "# syntax" line:
# it would fetch a front end that this file does not need.
FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
# Crates and build results stay in caches of the builder: after a change only what changed is built.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked -p gdpr-worker -p mixpanel-emulator \
    && for name in gdpr-worker mixpanel-emulator; do \
           sh scripts/images tree "$name" "target/release/$name" "/images/$name" || exit 1; \
       done \
    && mkdir /images/data

# FROM scratch: one program, its libraries and CA certificates, the same files as by scripts/images.
FROM scratch AS mixpanel-emulator
COPY --from=build /images/mixpanel-emulator/ /
COPY --from=build --chown=10001:10001 /images/data/ /data/
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/mixpanel-emulator"]

# The last stage is what a plain `docker build .` makes.
FROM scratch AS worker
COPY --from=build /images/gdpr-worker/ /
COPY --from=build --chown=10001:10001 /images/data/ /data/
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/gdpr-worker"]
