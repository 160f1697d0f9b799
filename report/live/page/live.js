// The live page: draws what the server's events say. All text goes in as text, never as markup.
"use strict";
(function () {
  const $ = (id) => document.getElementById(id);
  let run = decodeURIComponent(location.hash.slice(1)); // survives a reload
  let source = null, last = null, skew = 0, heard = 0, sure = 0, noteSaved = "", noteTimer = 0;

  function element(tag, text, name) {
    const e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (name) e.className = name;
    return e;
  }

  function duration(seconds) {
    const s = Math.max(0, Math.round(seconds)), two = (v) => String(v).padStart(2, "0");
    return s < 3600 ? Math.floor(s / 60) + ":" + two(s % 60) : Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  }

  function connect() {
    if (source) source.close();
    source = new EventSource("/events?run=" + encodeURIComponent(run));
    source.addEventListener("pulse", (e) => pulse(JSON.parse(e.data)));
    source.addEventListener("state", (e) => show(JSON.parse(e.data)));
    // The browser connects again by itself, but gives up on an answer that is no stream, such as that of a server with too many viewers.
    const own = source;
    source.onerror = () => { status(); if (own.readyState === EventSource.CLOSED) setTimeout(() => { if (source === own) connect(); }, 3000); };
  }

  function pulse(p) {
    heard = Date.now();
    skew = p.now - heard;
    const select = $("runs");
    const names = p.runs.map((r) => r.run).join("\n");
    if (select.dataset.names !== names) {
      select.replaceChildren(...p.runs.map((r) => { const o = element("option", r.title); o.value = r.run; return o; }));
      select.dataset.names = names;
    }
    select.value = p.run;
    $("choose").hidden = p.runs.length < 2;
    if (p.runs.length === 0) { $("title").textContent = "Waiting for a run"; }
    $("gauges").replaceChildren(...p.gauges.map((g) => {
      const box = element("div", g.name + " " + g.text, "gauge"), track = element("div", undefined, "track"), fill = element("div", undefined, "fill");
      fill.style.width = (100 * g.share).toFixed(1) + "%";
      track.append(fill);
      box.append(track);
      return box;
    }));
    status();
  }

  // The chip: what the run does, or that nobody is there to tell.
  function status() {
    const chip = $("status");
    let text = "connecting", kind = "";
    if (heard && Date.now() - heard > 6000) {
      text = "connection lost";
      kind = "lost";
    } else if (last && last.status !== "running") {
      text = kind = last.status;
    } else if (last) {
      const silent = (Date.now() + skew - last.changed) / 1000;
      if (last.stopping) { text = "stopping"; kind = "quiet"; }
      else if (silent > 60) { text = "silent for " + duration(silent); kind = "quiet"; }
      else { text = kind = "running"; }
    }
    chip.textContent = text;
    chip.className = "chip " + kind;
  }

  function show(s) {
    if (s.problem) { $("said").textContent = s.problem; return; }
    const other = !last || last.run !== s.run;
    last = s;
    run = s.run;
    if (location.hash.slice(1) !== encodeURIComponent(run)) history.replaceState(null, "", "#" + encodeURIComponent(run));
    document.title = s.title + " · Orrery";
    $("title").textContent = s.title;
    $("lead").textContent = s.lead;
    $("numbers").replaceChildren(...s.tiles.map((t) => {
      const box = element("div", undefined, "tile"), value = element("dd", t.value);
      value.id = t.id;
      if (t.small) value.append(" ", element("small", t.small));
      box.append(element("dt", t.name), value);
      return box;
    }));
    progress(s);
    if (other) orreryCharts.clear();
    $("memory-panel").hidden = !s.charts.some((c) => c.id === "memory");
    for (const chart of s.charts) orreryCharts.show(chart);
    $("epochs").tBodies[0].replaceChildren(...s.history.map((row) => {
      const tr = element("tr");
      tr.append(...row.map((cell) => element("td", cell)));
      return tr;
    }));
    $("earlier").hidden = !s.earlier;
    $("earlier").textContent = "The last " + s.history.length + " of " + (s.earlier + s.history.length) + " epochs.";
    $("no-epochs").hidden = s.history.length > 0;
    $("epochs").hidden = s.history.length === 0;
    pictures(s);
    layers(s);
    matrix(s.matrix);
    log(s.log, other);
    const stop = $("stop");
    stop.disabled = s.stopping || s.status !== "running";
    stop.hidden = s.status !== "running";
    if (s.stopping) { stop.textContent = "Stopping"; stop.className = ""; sure = 0; }
    else if (!sure) stop.textContent = "Stop";
    const note = $("note");
    if (other || (document.activeElement !== note && note.value === noteSaved)) {
      note.value = noteSaved = s.note;
    }
    status();
  }

  function progress(s) {
    const parts = [];
    if (s.epochs) parts.push("epoch " + (s.epoch + 1) + " of " + s.epochs);
    parts.push("step " + s.step + (s.steps ? " of " + s.steps : ""));
    if (s.eta !== null) parts.push("about " + duration(s.eta) + " left");
    $("where").textContent = s.step ? parts.join(" · ") : "";
    $("progress").hidden = !s.steps || s.status !== "running";
    $("done").style.width = s.steps ? (100 * s.step / s.steps).toFixed(2) + "%" : "0";
  }

  const captions = { "batch.png": "The batch under way", "show-batch.png": "A training batch", "top-losses.png": "Top losses", "lr-find.png": "Learning-rate finder" };

  // Keeps elements whose picture is the same, so that nothing flickers.
  function keyed(host, list, key, make) {
    const old = new Map([...host.children].map((e) => [e.dataset.key, e]));
    host.replaceChildren(...list.map((one) => {
      const k = key(one), e = old.get(k) || make(one);
      e.dataset.key = k;
      return e;
    }));
  }

  function query(values) {
    return new URLSearchParams(Object.assign({ run: run }, values)).toString();
  }

  function pictures(s) {
    $("pictures-section").hidden = s.pictures.length === 0;
    keyed($("pictures"), s.pictures, (p) => run + "/" + p.name + "/" + p.version, (p) => {
      const panel = element("div", undefined, "panel"), img = element("img", undefined, "picture");
      img.alt = captions[p.name] || p.name;
      img.src = "/picture?" + query({ name: p.name, v: p.version });
      panel.append(element("h3", captions[p.name] || p.name), img);
      return panel;
    });
  }

  function layers(s) {
    $("layers-section").hidden = s.layers.length === 0;
    keyed($("layers"), s.layers, (l) => run + "/" + l.index + "/" + l.version, (l) => {
      const panel = element("div", undefined, "panel"), img = element("img", undefined, "color-dim"), head = element("h3", l.index + " · " + l.name + " ");
      if (l.dead) head.append(element("span", "dead: " + (100 * l.near_zero).toFixed(1) + " % near zero", "warn"));
      img.alt = "Histogram of the activations of " + l.name + " over the steps";
      img.src = "/layer?" + query({ index: l.index, v: l.version });
      panel.append(head, img);
      return panel;
    });
  }

  function matrix(m) {
    $("matrix-section").hidden = !m;
    if (!m) return;
    const table = $("confusion"), head = element("thead"), top = element("tr"), body = element("tbody");
    const name = (text, side) => { const th = element("th", text, side ? "side" : ""); th.title = text; th.scope = side ? "row" : "col"; return th; };
    top.append(element("th", "actual \\ predicted", "side"), ...m.classes.map((c) => name(c)));
    head.append(top);
    m.counts.forEach((row, i) => {
      const tr = element("tr"), total = row.reduce((a, b) => a + b, 0);
      tr.append(name(m.classes[i], true), ...row.map((count) => {
        const fraction = total ? count / total : 0, td = element("td", count, fraction > 0.5 ? "deep" : count ? "" : "zero");
        td.style.setProperty("--fraction", fraction.toFixed(3));
        return td;
      }));
      body.append(tr);
    });
    table.classList.toggle("many", m.classes.length > 8);
    table.replaceChildren(head, body);
  }

  function log(lines, other) {
    const pre = $("log"), below = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 30;
    pre.replaceChildren(...lines.map((l) => element("span", (l.time ? l.time + " " : "") + (l.level ? l.level + " " : "") + l.text + "\n", l.level.replace(/[^A-Z]/g, ""))));
    if (below || other) pre.scrollTop = pre.scrollHeight;
  }

  function post(path, body) {
    return fetch(path + "?" + query({}), { method: "POST", body: body }).then(async (r) => {
      if (!r.ok) throw new Error((await r.text()).trim() || r.statusText);
    });
  }

  // Stopping takes two clicks within five seconds.
  $("stop").addEventListener("click", () => {
    const button = $("stop");
    if (!sure) {
      button.textContent = "Write a checkpoint and stop?";
      button.className = "sure";
      sure = setTimeout(() => { sure = 0; button.textContent = "Stop"; button.className = ""; }, 5000);
      return;
    }
    clearTimeout(sure);
    sure = 0;
    button.disabled = true;
    button.className = "";
    button.textContent = "Stopping";
    post("/stop").then(() => { $("said").textContent = ""; }, (e) => { $("said").textContent = "Could not stop: " + e.message; button.disabled = false; button.textContent = "Stop"; });
  });

  function saveNote() {
    clearTimeout(noteTimer);
    const text = $("note").value;
    if (text === noteSaved) return;
    post("/note", text).then(() => { noteSaved = text; $("noted").textContent = "Saved."; }, (e) => { $("noted").textContent = "Not saved: " + e.message; });
  }
  $("note").addEventListener("input", () => {
    $("noted").textContent = "";
    clearTimeout(noteTimer);
    noteTimer = setTimeout(saveNote, 800);
  });
  $("note").addEventListener("blur", saveNote);

  $("runs").addEventListener("change", () => {
    saveNote();
    run = $("runs").value;
    last = null;
    connect();
  });
  window.addEventListener("hashchange", () => {
    const wanted = decodeURIComponent(location.hash.slice(1));
    if (wanted !== run) { run = wanted; last = null; connect(); }
  });
  setInterval(status, 2000);
  connect();
})();
