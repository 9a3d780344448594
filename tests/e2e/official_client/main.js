// What the test calls in the browser: the official client, with a media manager that needs no bundle
// from elsewhere.

import { PipecatClient } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport, WavMediaManager } from "@pipecat-ai/small-webrtc-transport";

export const events = [];

export async function call(token) {
  const keep = (name) => (data) => events.push({ name, data });
  const client = new PipecatClient({
    transport: new SmallWebRTCTransport({ mediaManager: new WavMediaManager() }),
    enableMic: true,
    enableCam: false,
    callbacks: {
      onBotReady: keep("ready"),
      onUserTranscript: keep("heard"),
      onBotOutput: keep("said"),
      onBotStartedSpeaking: keep("speaks"),
      onServerMessage: keep("server"),
      onMetrics: keep("metrics"),
      onError: keep("error"),
      onDisconnected: keep("disconnected"),
    },
  });
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  await client.startBotAndConnect({ endpoint: `${location.origin}/start`, headers });
  return client;
}
