"use strict";
const element = (id) => document.getElementById(id);

async function ask(path, file) {
  const response = await fetch(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

let asked = 0;

async function show(file) {
  if (!file) return;
  const mine = ++asked;
  element("status").textContent = "Looking …";
  element("result").hidden = true;
  try {
    const [answer, cam] = await Promise.all([ask("predict", file), ask("explain", file)]);
    if (mine !== asked) return; // another picture came meanwhile
    element("status").textContent = `${answer.class}, ${(100 * answer.probability).toFixed(1)} %`;
    element("picture").src = cam.picture;
    element("heat").src = cam.heat;
    element("top").replaceChildren(...answer.top.map(row));
    element("result").hidden = false;
  } catch (error) {
    if (mine === asked) element("status").textContent = error.message;
  }
}

function row({ class: name, probability }) {
  const tr = document.createElement("tr");
  const label = document.createElement("td");
  label.textContent = name;
  const value = document.createElement("td");
  const bar = document.createElement("progress");
  bar.value = probability;
  bar.setAttribute("aria-label", name);
  value.append(bar, ` ${(100 * probability).toFixed(1)} %`);
  tr.append(label, value);
  return tr;
}

const drop = element("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (e) => { e.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (e) => { e.preventDefault(); show(e.dataTransfer.files[0]); });
element("file").addEventListener("change", (e) => show(e.target.files[0]));
document.addEventListener("paste", (e) => show(e.clipboardData.files[0]));
element("shown").addEventListener("change", (e) => element("heat").classList.toggle("off", !e.target.checked));

fetch("about").then((r) => r.json()).then((about) => {
  element("about").textContent = `${about.run}: ${about.model}, ${about.classes.length} classes: ${about.classes.join(", ")}`;
});
