// The page: what is heard and said as it happens, the state, the level, the latency, the buttons.

import { Call, Trouble, openMicrophone } from "/client/call.js";

const LOUD = 0.02;
const PAUSE_MS = 300;
const WORDS = {
  idle: "not connected",
  connecting: "connecting …",
  listening: "listening",
  hearing: "hears you",
  thinking: "thinking …",
  speaking: "speaking",
  ringing: "ringing …",
  talking: "in a call",
  trouble: "not connected",
};

const find = (id) => document.getElementById(id);
const talk = find("talk");
let call = null;
let stream = null;
let stopMeters = () => {};
let bubble = null;
let segments = new Map();

const token = keepToken();
const modes = document.body.dataset.modes.split(" ");
const HINT = {
  assistant: "Press Call, allow the microphone, and speak.",
  intercom: "Press Call: the box rings, and whoever is beside it may take the call.",
};

/** Takes the token out of the address, so that nobody reads it there; a reload finds it again. */
function keepToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") || "";
}

function show(state) {
  find("state").dataset.state = state;
  find("state").textContent = WORDS[state];
}

function showTrouble(text) {
  find("trouble").textContent = text;
  find("trouble").hidden = !text;
}

function chosen() {
  return document.querySelector("input[name=mode]:checked").value;
}

function showHint(text) {
  find("hint").textContent = text;
  find("hint").hidden = !text;
}

// What was said

function newBubble(who) {
  bubble = document.createElement("li");
  bubble.className = who;
  talk.append(bubble);
  showHint("");
  return bubble;
}

function add(kind, text) {
  const piece = document.createElement(kind === "note" ? "small" : "span");
  piece.className = kind;
  piece.textContent = text;
  // How long it took is told with the first words, and stands behind the last.
  bubble.insertBefore(piece, bubble.querySelector(".times"));
  find("talk").parentElement.scrollTop = 1e9;
  return piece;
}

function heard({ text, final }) {
  if (!bubble || bubble.className !== "you") newBubble("you");
  bubble.querySelector(".provisional")?.remove();
  const separator = bubble.textContent ? " " : "";
  add(final ? "final" : "provisional", separator + text.trim());
}

function said({ text, segment_id: segment, spoken_status: status }) {
  const piece = segments.get(segment);
  if (piece) {
    if (status === "completed") piece.className = "spoken";
    return;
  }
  if (!bubble || bubble.className !== "it") newBubble("it");
  const separator = bubble.textContent ? " " : "";
  segments.set(segment, add(status === "completed" ? "spoken" : "unspoken", separator + text.trim()));
}

function interrupted() {
  for (const piece of segments.values()) if (piece.className === "unspoken") piece.remove();
  if (bubble && bubble.className === "it" && segments.size) add("note", "interrupted");
  segments = new Map();
}

function turn(told) {
  const sound = told.times_s["first sound"];
  if (sound === undefined) return;
  const bubbles = talk.querySelectorAll("li.it");
  const parts = Object.entries(told.times_s).map(([stage, s]) => `${stage} ${s.toFixed(2)} s`);
  const note = document.createElement("small");
  note.className = "times";
  note.textContent = `answered after ${sound.toFixed(2)} s`;
  note.title = parts.join(", ");
  bubbles[bubbles.length - 1]?.append(note);
}

// What happens

/** What becomes of a call to whoever is beside the box. */
function intercom({ state, text }) {
  if (state === "ringing" || state === "taken") {
    show(state === "ringing" ? "ringing" : "talking");
    showHint(text);
  } else {
    call?.end(text);
  }
}

const REACTIONS = {
  "bot-ready": () => { if (call?.mode === "assistant") show("listening"); },
  "user-started-speaking": () => { if (bubble?.className === "you") bubble = null; show("hearing"); },
  "user-stopped-speaking": () => show("thinking"),
  "user-input": (data) => { if (data.input_type !== "chat") heard(data); },
  "bot-output": said,
  "bot-started-speaking": () => show("speaking"),
  "bot-stopped-speaking": () => { segments = new Map(); show("listening"); },
  "bot-interrupted": interrupted,
  "server-message": (data) => {
    if (data.type === "turn") turn(data);
    if (data.type === "intercom") intercom(data);
  },
  "error": (data) => showTrouble(data.error),
  "error-response": (data) => showTrouble(data.error),
};

async function begin() {
  showTrouble("");
  if (!token) {
    throw new Trouble("This link has no token: open the link that `edgebot bridge` shows.");
  }
  show("connecting");
  stream = await openMicrophone();
  call = new Call(token, chosen());
  call.addEventListener("message", (event) => {
    REACTIONS[event.detail.type]?.(event.detail.data || {});
  });
  call.addEventListener("sound", (event) => {
    find("voice").srcObject = event.detail;
    find("voice").play().catch(() => showTrouble("Touch the page once to hear the answers."));
    stopMeters = startMeters(stream, event.detail);
  });
  call.addEventListener("over", (event) => over(event.detail));
  setCalling(true);
  await call.begin(stream);
}

function over(why) {
  stopMeters();
  stopMeters = () => {};
  stream?.getTracks().forEach((track) => track.stop());
  stream = call = bubble = null;
  find("voice").srcObject = null;
  setCalling(false);
  show(why ? "trouble" : "idle");
  if (why && find("trouble").hidden) showTrouble(why);
}

function setCalling(calls) {
  find("call").textContent = calls ? "Hang up" : "Call";
  find("call").dataset.calls = calls;
  find("mute").disabled = !calls;
  find("type").hidden = !calls || call.mode !== "assistant";
  find("whom").hidden = calls || modes.length < 2;
  if (!calls) setMuted(false);
}

function setMuted(muted) {
  stream?.getAudioTracks().forEach((track) => { track.enabled = !muted; });
  find("mute").setAttribute("aria-pressed", muted);
  find("mute").textContent = muted ? "Muted" : "Mute";
  find("level").classList.toggle("muted", muted);
}

// The level, and the time from the end of a question to the first sound of its answer, as heard here

function startMeters(mine, its) {
  const context = new AudioContext();
  const [microphone, voice] = [mine, its].map((source) => meter(context, source));
  let spokeAt = 0;
  let soundedAt = 0;
  const look = () => {
    const now = performance.now();
    const level = microphone();
    if (level > LOUD) spokeAt = now;
    if (voice() > LOUD) {
      if (call?.mode === "assistant" && spokeAt && now - soundedAt > PAUSE_MS && spokeAt > soundedAt) {
        find("latency").textContent = `voice to voice, as heard here: ${((now - spokeAt) / 1000).toFixed(2)} s`;
        find("latency").dataset.ms = Math.round(now - spokeAt);
        find("latency").hidden = false;
        spokeAt = 0;
      }
      soundedAt = now;
    }
    const share = Math.min(100, Math.round(Math.sqrt(level) * 160));
    find("level").setAttribute("aria-valuenow", share);
    find("level").firstElementChild.style.width = `${share}%`;
  };
  const timer = setInterval(look, 20);
  return () => {
    clearInterval(timer);
    context.close();
    find("level").firstElementChild.style.width = "0";
  };
}

/** Returns what measures the loudness of a stream, 0 to 1. */
function meter(context, source) {
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(source).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  };
}

// The buttons

find("call").addEventListener("click", async () => {
  if (call) {
    call.end();
    return;
  }
  find("call").disabled = true;
  try {
    await begin();
  } catch (error) {
    if (call) call.end(); else over("");
    show("trouble");
    showTrouble(error instanceof Trouble ? error.message : `Something went wrong: ${error.message}`);
  } finally {
    find("call").disabled = false;
  }
});

find("mute").addEventListener("click", () => {
  setMuted(find("mute").getAttribute("aria-pressed") !== "true");
});

find("type").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text || !call) return;
  newBubble("you");
  add("final", text);
  call.send("send-text", { content: text, options: { run_immediately: true, audio_response: true } });
  find("text").value = "";
});

for (const choice of document.querySelectorAll("input[name=mode]")) {
  choice.checked = choice.value === modes[0];
  choice.addEventListener("change", () => {
    showTrouble("");
    showHint(HINT[chosen()]);
  });
}
setCalling(false);
showHint(HINT[chosen()]);

window.addEventListener("pagehide", () => call?.end());
