'use strict';

// DATA: {title, clips: [{name, thumb, group, x, y}], x and y in 0..1, groups: [name]}, from
// embedding-data.js.
const svg = document.querySelector('svg');
const lasso = document.querySelector('#lasso');
const hover = document.querySelector('#hover');
const color = (group) => `hsl(${(group * 137.5) % 360} 65% ${group % 2 ? 38 : 52}%)`;
const places = DATA.clips.map((clip) => [30 + 940 * clip.x, 970 - 940 * clip.y]);
let line = [];

const dots = DATA.clips.map((clip, row) => {
  const dot = document.createElementNS(svg.namespaceURI, 'circle');
  dot.setAttribute('cx', places[row][0]);
  dot.setAttribute('cy', places[row][1]);
  dot.setAttribute('r', DATA.clips.length > 2000 ? 4 : 8);
  dot.setAttribute('fill', color(clip.group));
  dot.addEventListener('pointerenter', (event) => {
    hover.replaceChildren(makeFigure(clip, `${DATA.groups[clip.group]}:`));
    hover.style.left = `${Math.min(event.clientX + 12, innerWidth - 160)}px`;
    hover.style.top = `${Math.min(event.clientY + 12, innerHeight - 180)}px`;
    hover.hidden = false;
  });
  dot.addEventListener('pointerleave', () => { hover.hidden = true; });
  return dot;
});
document.querySelector('h1').textContent = DATA.title;
svg.prepend(...dots);
for (const [group, name] of DATA.groups.entries()) {
  const entry = document.createElement('span');
  const mark = document.createElement('i');
  mark.style.background = color(group);
  entry.append(mark, name);
  document.querySelector('.legend').append(entry);
}

// Even-odd rule: a ray from the point to the right crosses the line an odd number of times.
function isInside([x, y], corners) {
  let inside = false;
  corners.forEach(([x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length];
    if (y1 > y !== y2 > y && x < x1 + ((x2 - x1) * (y - y1)) / (y2 - y1)) inside = !inside;
  });
  return inside;
}

function choose(rows) {
  dots.forEach((dot, row) => dot.classList.toggle('chosen', rows.includes(row)));
  const list = rows.map((row) => `${DATA.clips[row].name}\n`).join('');
  const save = document.querySelector('#save');
  document.querySelector('textarea').value = list;
  document.querySelector('#count').textContent = `${rows.length} clip${rows.length === 1 ? '' : 's'}`;
  if (save.href) URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(new Blob([list], { type: 'text/plain' }));
}

function extend(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(
    svg.getScreenCTM().inverse());
  line.push([at.x, at.y]);
  lasso.setAttribute('points', line.map((corner) => corner.join()).join(' '));
}

svg.addEventListener('pointerdown', (event) => { line = []; extend(event); });
svg.addEventListener('pointermove', (event) => { if (line.length) extend(event); });
window.addEventListener('pointerup', () => {
  if (!line.length) return;
  choose(places.flatMap((place, row) => (isInside(place, line) ? [row] : [])));
  line = [];
});
