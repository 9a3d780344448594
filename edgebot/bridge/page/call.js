// One call: the browser's own WebRTC, and RTVI over its data channel.

const RTVI = "rtvi-ai";
const VERSION = "2.2.0";
const PING_MS = 1000;
const GATHER_MS = 2000;
const CONNECT_MS = 15000;

/** What went wrong, in words for a person. */
export class Trouble extends Error {}

/** Opens the microphone, with the browser's own echo canceller. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) {
    throw new Trouble(
      "This browser opens the microphone only to a page that came by https, or from the same " +
      "machine. Set bridge.certificate, or open this page on the machine itself."
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    const why = {
      NotAllowedError: "The microphone was refused. Allow it for this page, and call again.",
      NotFoundError: "There is no microphone. Plug one in, and call again.",
      NotReadableError: "The microphone is in use by another program.",
    };
    throw new Trouble(why[error.name] || `The microphone cannot be opened: ${error.message}`);
  }
}

/**
 * A call: mode "assistant", or "intercom" with whoever is beside the box.
 *
 * Events: "message" (detail: an RTVI message), "sound" (detail: a MediaStream), "over" (detail: why,
 * "" where it was hung up here).
 */
export class Call extends EventTarget {
  constructor(token, mode) {
    super();
    this.token = token;
    this.mode = mode;
    this.connection = new RTCPeerConnection();
    this.channel = this.connection.createDataChannel("chat", { ordered: true });
    this.isOver = false;
    this.pinging = 0;
    this.connection.addEventListener("track", (event) => {
      this.tell("sound", event.streams[0] || new MediaStream([event.track]));
    });
    this.connection.addEventListener("connectionstatechange", () => {
      if (this.connection.connectionState === "failed") {
        this.end("The connection is lost. Is this device still in the same network?");
      }
    });
    this.channel.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
    this.channel.addEventListener("close", () => this.end("The call has ended."));
  }

  /** Calls; returns when the other side is there. */
  async begin(stream) {
    try {
      await this.offer(stream);
    } catch (error) {
      this.end("");
      throw error;
    }
  }

  async offer(stream) {
    this.connection.addTransceiver(stream.getAudioTracks()[0], {
      direction: "sendrecv", streams: [stream],
    });
    await this.connection.setLocalDescription(await this.connection.createOffer());
    await this.gathered();
    const { sessionId } = await this.post("/start", { transport: "webrtc", body: { mode: this.mode } });
    const { sdp, type } = this.connection.localDescription;
    const answer = await this.post(`/sessions/${sessionId}/api/offer`, { sdp, type });
    await this.connection.setRemoteDescription({ sdp: answer.sdp, type: answer.type });
    await this.opened();
    this.pinging = setInterval(() => this.raw(`ping: ${Date.now()}`), PING_MS);
    this.send("client-ready", {
      version: VERSION,
      about: { library: "edgebot-page", library_version: "1", platform: "web" },
    });
  }

  /** Sends an RTVI message. */
  send(type, data) {
    const id = Math.random().toString(36).slice(2, 10);
    this.raw(JSON.stringify({ id, label: RTVI, type, data }));
    return id;
  }

  /** Hangs up. */
  end(why = "") {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.pinging);
    this.connection.close();
    this.tell("over", why);
  }

  raw(text) {
    if (this.channel.readyState === "open") this.channel.send(text);
  }

  take(message) {
    if (message.type === "signalling") {
      if (message.message && message.message.type === "peerLeft") this.end("The call has ended.");
    } else if (message.label === RTVI) {
      this.tell("message", message);
    }
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async post(path, body) {
    let response;
    try {
      response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.token}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CONNECT_MS),
      });
    } catch {
      throw new Trouble("The bridge cannot be reached. Is this device in the same network?");
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      throw new Trouble(answer.error || `The bridge refuses the call (${response.status}).`);
    }
    return answer;
  }

  gathered() {
    return new Promise((done) => {
      const look = () => this.connection.iceGatheringState === "complete" && done();
      this.connection.addEventListener("icegatheringstatechange", look);
      setTimeout(done, GATHER_MS);
      look();
    });
  }

  opened() {
    return new Promise((done, failed) => {
      if (this.channel.readyState === "open") done();
      this.channel.addEventListener("open", () => done());
      this.addEventListener("over", (event) => failed(new Trouble(event.detail)));
      setTimeout(() => failed(new Trouble(
        "No sound comes through: a firewall between this device and the box holds it back."
      )), CONNECT_MS);
    });
  }
}
