// The review room: sound, picture, flags and words move together. Nothing plays by itself.
"use strict";
(() => {
  const room = document.getElementById("room");
  const sound = document.getElementById("sound");
  if (!room || !sound) return;
  const duration = Number(room.dataset.duration) || 1;
  const play = document.getElementById("play");
  const time = document.getElementById("time");
  const speed = document.getElementById("speed");
  const wave = document.getElementById("wave");
  const line = document.getElementById("head-line");
  const said = [...document.querySelectorAll(".said")];
  const findings = [...document.querySelectorAll(".finding")];
  const clock = (ms) => { const s = Math.floor(ms / 1000); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };
  const LEAD = 1500; // start a little before the flagged moment, to hear what led to it
  const SPEEDS = [1, 1.25, 1.5, 2];
  let current = -1;
  let now = null;

  sound.controls = false;
  sound.hidden = true;
  for (const el of [play, time, speed]) el.hidden = false;

  function seek(ms) { sound.currentTime = Math.max(0, Math.min(duration, ms)) / 1000; draw(); }
  function toggle() { if (sound.paused) sound.play(); else sound.pause(); }

  function choose(index) {
    if (!findings.length) return;
    current = (index + findings.length) % findings.length;
    findings.forEach((el, i) => el.classList.toggle("at", i === current));
    document.querySelectorAll(".flag").forEach((el) => el.classList.toggle("at", el.dataset.flag === findings[current].dataset.flag));
    findings[current].scrollIntoView({ block: "nearest" });
  }
  function jump(step) {
    if (!findings.length) return;
    choose(current < 0 ? (step > 0 ? 0 : findings.length - 1) : current + step);
    if (findings[current].dataset.from) seek(Number(findings[current].dataset.from) - LEAD);
  }

  function draw() {
    const ms = sound.currentTime * 1000;
    time.textContent = `${clock(ms)} of ${clock(duration)}`;
    if (line) { const x = (1000 * ms / duration).toFixed(1); line.setAttribute("x1", x); line.setAttribute("x2", x); }
    const spoken = said.find((li) => ms >= Number(li.dataset.from) - 50 && ms <= Number(li.dataset.to) + 50);
    if (spoken !== now) {
      now?.classList.remove("now");
      spoken?.classList.add("now");
      if (spoken && !sound.paused) spoken.scrollIntoView({ block: "nearest" });
      now = spoken;
    }
    document.querySelector(".said .on")?.classList.remove("on");
    if (spoken) { const words = [...spoken.querySelectorAll("[data-w]")].filter((w) => Number(w.dataset.w) <= ms); words.at(-1)?.classList.add("on"); }
  }
  function frame() { draw(); if (!sound.paused) requestAnimationFrame(frame); }

  sound.addEventListener("play", () => { play.querySelector("span").textContent = "Pause"; frame(); });
  sound.addEventListener("pause", () => { play.querySelector("span").textContent = "Play"; draw(); });
  sound.addEventListener("seeked", draw);
  play.addEventListener("click", toggle);
  speed.addEventListener("click", () => {
    sound.playbackRate = SPEEDS[(SPEEDS.indexOf(sound.playbackRate) + 1) % SPEEDS.length];
    speed.textContent = `${sound.playbackRate}×`;
  });
  wave?.addEventListener("click", (event) => { const box = wave.getBoundingClientRect(); seek(duration * (event.clientX - box.left) / box.width); });
  room.addEventListener("click", (event) => {
    const button = event.target.closest("[data-seek]");
    if (!button) return;
    seek(Number(button.dataset.seek) - (button.closest(".finding") ? LEAD : 0));
    sound.play();
  });
  findings.forEach((el, i) => el.addEventListener("focusin", () => { if (i !== current) choose(i); }));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.getElementById("keys")?.open) return;
    const key = event.key.toLowerCase();
    if (key === " " && !event.target.matches("button, summary, a")) { event.preventDefault(); toggle(); return; }
    if (key === "arrowleft") { seek(sound.currentTime * 1000 - 5000); return; }
    if (key === "arrowright") { seek(sound.currentTime * 1000 + 5000); return; }
    if (key === "j") { event.preventDefault(); jump(-1); return; }
    if (key === "l") { event.preventDefault(); jump(1); return; }
    if ("123".includes(key) && key) findings[current]?.querySelector(`[data-verdict="${key}"]`)?.click();
  });

  const firstOpen = findings.findIndex((el) => el.dataset.open === "yes");
  if (firstOpen >= 0) { choose(firstOpen); if (findings[firstOpen].dataset.from) sound.addEventListener("loadedmetadata", () => seek(Number(findings[firstOpen].dataset.from) - LEAD), { once: true }); }
})();
