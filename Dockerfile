# The sensor as an image of about 100 MB: Debian, libpcap, the program.
#
#   docker build -t apitap .
#   docker run --rm --network host --cap-drop ALL --cap-add NET_RAW -v apitap-state:/var/lib/apitap \
#       -v apitap-log:/var/log/apitap apitap run -i eth1
#
# It runs as the user apitap (10001). The program carries the capability to capture as a file capability, so that it need
# not be root; the container must be allowed it (NET_RAW is among Docker's defaults, and is given back after --cap-drop ALL).

FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libpcap-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY rules rules
COPY benches benches
RUN cargo build --release --locked --bin apitap

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpcap0.8 ca-certificates libcap2-bin \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 apitap \
    && useradd --uid 10001 --gid apitap --no-create-home --home-dir /var/lib/apitap --shell /usr/sbin/nologin apitap \
    && install -d -o apitap -g apitap -m 750 /var/lib/apitap /var/log/apitap /run/apitap \
    && install -d /etc/apitap
COPY --from=build /src/target/release/apitap /usr/bin/apitap
COPY packaging/apitap.toml /etc/apitap/apitap.toml
RUN setcap cap_net_raw+ep /usr/bin/apitap
USER apitap
VOLUME ["/var/lib/apitap", "/var/log/apitap"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/apitap"]
CMD ["run"]
