# The same bot on Pipecat Cloud: docs/cloud.md. The base image runs `bot()` of /app/bot.py for each session.
FROM dailyco/pipecat-base:latest-py3.13

# llama-cpp-python, pyaudio and systemd-python compile.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake pkg-config \
       portaudio19-dev libsystemd-dev libsndfile1 \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY edgebot /src/edgebot
RUN pip install --no-cache-dir --constraint /src/constraints.txt '/src[daily]'

# The models are part of the image: no session waits for a download.
ENV EDGEBOT_MODELS__DIR=/models
RUN edgebot models pull

RUN printf 'from edgebot.bot import bot\n' > /app/bot.py
