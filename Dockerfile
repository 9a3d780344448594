# edgebot in a container, for machines that run containers. Sound and pins are passed in, a network is not:
#
#   docker build -t edgebot .
#   docker run --rm -v edgebot-models:/var/lib/edgebot/models --user root edgebot models pull
#   docker run -d --restart=always --name edgebot --network none \
#       --device /dev/snd --device /dev/gpiochip0 --group-add audio --group-add gpio \
#       -v edgebot-models:/var/lib/edgebot/models:ro -v /etc/edgebot:/etc/edgebot:ro edgebot
#
# --group-add takes the host's number where the container has no such group.

FROM debian:bookworm-slim AS built
COPY . /src
RUN /src/scripts/install.sh --no-models \
    && /src/scripts/install.sh --list | awk '$1 == "run" {print $2}' >/opt/edgebot/packages

FROM debian:bookworm-slim
COPY --from=built /opt/edgebot /opt/edgebot
RUN apt-get update -q \
    && xargs -a /opt/edgebot/packages apt-get install -q -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --groups audio --home-dir /var/lib/edgebot edgebot \
    && mkdir -p /var/lib/edgebot/models /etc/edgebot /run/edgebot \
    && chown edgebot: /var/lib/edgebot /run/edgebot \
    && ln -s /opt/edgebot/current/bin/edgebot /usr/local/bin/edgebot
ENV MALLOC_ARENA_MAX=2 LG_WD=/run/edgebot RUNTIME_DIRECTORY=/run/edgebot STATE_DIRECTORY=/var/lib/edgebot
USER edgebot
WORKDIR /var/lib/edgebot
HEALTHCHECK --start-period=5m CMD ["edgebot", "status", "--json"]
ENTRYPOINT ["/usr/local/bin/edgebot"]
CMD ["serve"]
