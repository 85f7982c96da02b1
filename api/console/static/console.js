// The browser's part of the console: the sound of alarms, and the watch over the page's own heartbeat.
(() => {
  "use strict";

  // -- heartbeat: the server writes the clock last, twice a second. A clock that stands means that nothing is live.
  const SILENT_MS = 5000;
  let heard = Date.now();
  const watch = () => {
    const clock = document.querySelector(".clock");
    if (!clock) return setTimeout(watch, 100);
    heard = Date.now();
    new MutationObserver(() => { heard = Date.now(); judge(); })
      .observe(clock, { childList: true, characterData: true, subtree: true });
    setInterval(judge, 500);
  };
  const judge = () => document.body.classList.toggle("lost", Date.now() - heard > SILENT_MS);

  // -- sound: each loud alarm that nobody has acknowledged, until somebody does; muting lasts as long as the tab.
  let owed = {};
  let context = null;
  const muted = () => sessionStorage.getItem("caretaker-muted") === "yes";
  const ready = () => context !== null && context.state === "running";

  const wake = () => {
    if (context === null) {
      const Sound = window.AudioContext || window.webkitAudioContext;
      if (!Sound) return;
      context = new Sound();
      context.onstatechange = label;
    }
    if (context.state !== "running") context.resume().then(label, label);
  };
  const tone = (frequency, from, length) => {
    const at = context.currentTime + from;
    const source = context.createOscillator();
    const gain = context.createGain();
    source.type = "triangle";
    source.frequency.value = frequency;
    gain.gain.setValueAtTime(0.0001, at);
    gain.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
    gain.gain.setValueAtTime(0.25, at + length - 0.04);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + length);
    source.connect(gain).connect(context.destination);
    source.start(at);
    source.stop(at + length);
  };
  let rounds = 0;
  const sound = () => {
    rounds += 1;
    const worst = Math.min(9, ...Object.values(owed));
    document.body.dataset.sounding = worst > 2 || muted() ? "" : ready() ? String(worst) : "blocked";
    if (worst > 2 || muted() || !ready()) return;
    if (worst === 1) { tone(988, 0, 0.18); tone(740, 0.22, 0.18); tone(988, 0.44, 0.18); }
    else if (rounds % 3 === 0) { tone(660, 0, 0.16); tone(660, 0.24, 0.16); }
  };
  function label() {
    const button = document.getElementById("sound");
    if (!button) return;
    const state = muted() ? "off" : ready() ? "on" : "blocked";
    button.textContent = button.dataset[state];
    button.className = `sound-${state}`;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("#sound");
    const waiting = !ready();
    wake();
    if (button && (!waiting || muted())) sessionStorage.setItem("caretaker-muted", muted() ? "no" : "yes");
    const language = event.target.closest && event.target.closest("#language");
    if (language) {
      const address = new URL(language.href);
      address.searchParams.set("onward", location.pathname + location.search);
      language.href = address.toString();
    }
    label();
  }, true);
  document.addEventListener("keydown", wake, true);

  window.caretaker = {
    owed: (now) => { owed = now; wake(); label(); },
    here: (address) => history.replaceState(null, "", address),
  };
  window.addEventListener("DOMContentLoaded", () => { watch(); wake(); setInterval(() => { sound(); label(); }, 1000); });
})();
