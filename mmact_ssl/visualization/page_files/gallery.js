'use strict';

// DATA: {title, clips: [{name, thumb}], neighbors: [[[row, cosine], ...], ...] of each clip,
// texts: [{text, hits: [[row, cosine], ...]}]}, from gallery-data.js.
const clips = document.querySelector('main');
const field = document.querySelector('input');
const figures = DATA.clips.map((clip, row) => {
  const figure = makeFigure(clip);
  figure.dataset.row = row;
  return figure;
});
document.querySelector('h1').textContent = DATA.title;
clips.append(...figures);

function filter() {
  const words = field.value.toLowerCase().split(/\s+/);
  let shown = 0;
  figures.forEach((figure, row) => {
    const name = DATA.clips[row].name.toLowerCase();
    figure.hidden = !words.every((word) => name.includes(word));
    shown += !figure.hidden;
  });
  document.querySelector('#count').textContent = `${shown} of ${figures.length} clips`;
}

function showHits(about, hits, row) {
  figures.forEach((figure, other) => figure.classList.toggle('chosen', other === row));
  document.querySelector('#about').textContent = about;
  const found = hits.map(([other, cosine]) => {
    const figure = makeFigure(DATA.clips[other], cosine.toFixed(2));
    figure.dataset.row = other;
    return figure;
  });
  document.querySelector('#found').replaceChildren(...found);
}

function open(event) {
  const figure = event.target.closest('figure');
  if (!figure || (event.type === 'keydown' && event.key !== 'Enter')) return;
  const row = Number(figure.dataset.row);
  showHits(`Nearest to ${DATA.clips[row].name}, with the cosine:`, DATA.neighbors[row], row);
}

for (const part of [clips, document.querySelector('#found')]) {
  part.addEventListener('click', open);
  part.addEventListener('keydown', open);
}
for (const { text, hits } of DATA.texts) {
  const button = document.createElement('button');
  button.textContent = `“${text}”`;
  button.addEventListener('click', () => showHits(`Nearest to “${text}”:`, hits, -1));
  document.querySelector('#texts').append(button);
}
field.addEventListener('input', filter);
filter();
