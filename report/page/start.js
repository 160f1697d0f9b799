// Draws the charts that came with the page.
"use strict";
for (const spec of JSON.parse(document.getElementById("charts").textContent)) orreryCharts.show(spec);
