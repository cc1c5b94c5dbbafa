'use strict';

// DATA, from label-data.js: {id, title, classes: [name], player: tag, videos: [{name, src}],
// rows: [{video, start, stop, from, to, given, best, probability}], next: [row], is_cut,
// labels: [[video, start, stop, class, group]], groups: {video: group}}. A row is played from start
// to stop, and its label is written for from..to. All names are text, never markup.
const KEY = `mmact_ssl labels ${DATA.id}`;
const TABLE = JSON.stringify(DATA.labels);
const $ = (selector) => document.querySelector(selector);
// What is labeled here: {number of the row: name, or '' for a label that is cleared}.
const state = JSON.parse(localStorage.getItem(KEY) || '{"classes": [], "labels": {}}');
// A table that is given after these labels were saved takes their place.
if (state.saved && state.table !== TABLE) state.labels = {};
let order = [];
let chosen;

const classes = () => [...new Set([...DATA.classes, ...state.classes])];
const labelOf = (row) => state.labels[row.number] ?? row.given;
const clock = (time) => `${Math.floor(time / 60)}:${(time % 60).toFixed(1).padStart(4, '0')}`;
const element = (tag, textContent, className = '') =>
  Object.assign(document.createElement(tag), { textContent, className });

function keep(saved = false) {
  Object.assign(state, { saved, table: TABLE });
  localStorage.setItem(KEY, JSON.stringify(state));
}

function draw(row) {
  const [name, probability] = [...row.element.children].slice(-2);
  const label = labelOf(row);
  name.textContent = label || row.best;
  name.classList.toggle('given', label);
  probability.textContent = label || !row.best ? '' : `${Math.round(100 * row.probability)} %`;
}

// A row that is labeled stays in its place until the user chooses an order again.
function arrange() {
  const wanted = $('#filter').selectedIndex;  // all, labeled, or a class
  const name = classes()[wanted - 2];
  const isWanted = [() => true, labelOf][wanted] ?? ((row) => (labelOf(row) || row.best) === name);
  const sure = (row) => (labelOf(row) ? 1 : row.probability);
  const next = (row) => DATA.next.indexOf(row.number) >>> 0;  // the others, of -1, come last
  const keys = { next, low: sure, high: (row) => -sure(row), time: () => 0 };
  const key = keys[$('#order').value];
  order = DATA.rows.filter(isWanted).sort((a, b) => key(a) - key(b));
  $('#rows').replaceChildren();
  for (const row of order) $('#rows').append(row.element);
  select(order[0]);
}

function select(row) {
  const labeled = DATA.rows.filter(labelOf).length;
  $('#count').textContent = `${order.length} of ${DATA.rows.length}, ${labeled} labeled`;
  chosen?.element.classList.remove('chosen');
  chosen = row;
  if (!row) return;
  row.element.classList.add('chosen');
  row.element.scrollIntoView({ block: 'nearest' });
  const { name, src } = DATA.videos[row.video];
  $('#what').textContent = DATA.is_cut ? `${name}, ${clock(row.start)} to ${clock(row.stop)}` : name;
  const player = element(DATA.player, '');
  player.src = `${src}#t=${row.start},${row.stop}`;
  Object.assign(player, { muted: true, autoplay: true, controls: true, playsInline: true });
  player.addEventListener('pause', () => {  // also at the end of the window, and of the file
    if (player.currentTime < row.stop - 0.1 && !player.ended) return;
    player.currentTime = row.start;
    player.play();
  });
  player.addEventListener('error', () => {
    player.replaceWith('This browser cannot play the file: look at it in another player.');
  });
  $('#player').replaceChildren(player);
  $('#classes').replaceChildren(...classes().map((name, place) => {
    const text = place < 9 ? `${place + 1} ${name}` : name;
    const button = element('button', text, labelOf(row) === name ? 'given' : '');
    button.addEventListener('click', () => label(name));
    return button;
  }));
}

const move = (step) => select(order[order.indexOf(chosen) + step] ?? chosen);

function label(name) {
  if (!chosen) return;
  state.labels[chosen.number] = name;
  keep();
  draw(chosen);
  move(name ? 1 : 0);
}

function table() {
  const changed = Object.keys(state.labels).map((number) => DATA.rows[number]);
  // Given labels without what was labeled here since.
  const lines = DATA.labels.flatMap(([video, start, stop, name, group]) => {
    let pieces = [[start, stop]];
    for (const { from, to } of changed.filter((row) => DATA.videos[row.video].name === video)) {
      pieces = pieces.flatMap(([a, b]) => (
        b < from || a > to ? [[a, b]] : [[a, from], [to, b]].filter(([c, d]) => c < d)));
    }
    // A file that cannot be read has no end: a label of all of it has no times.
    return pieces.map(([a, b]) => [video, ...(b === Infinity ? ['', ''] : [a, b]), name, group]);
  });
  for (const row of changed.filter(labelOf)) {
    const { name } = DATA.videos[row.video];
    lines.push([name, row.from, row.to, labelOf(row), DATA.groups[name] ?? '']);
  }
  const columns = DATA.is_cut ? [0, 1, 2, 3, 4] : [0, 3, 4];
  const cell = (value) => `"${String(value).replaceAll('"', '""')}"`;
  return [['video', 'start', 'stop', 'label', 'group'], ...lines]
    .map((line) => `${columns.map((column) => cell(line[column])).join(',')}\n`).join('');
}

document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (target.matches('input, select') || event.ctrlKey || event.metaKey || event.altKey) return;
  const player = $('#player video');
  if (key >= '0' && key <= '9') {
    const name = ['', ...classes()][key];
    if (name !== undefined) label(name);
  } else if (key === 'ArrowDown' || key === 'ArrowUp') {
    move(key === 'ArrowDown' ? 1 : -1);
  } else if (key === ' ' && player && !target.matches('button')) {
    if (player.paused) player.play(); else player.pause();
  } else {
    return;
  }
  event.preventDefault();
});
$('#new').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = $('#new input');
  const name = field.value.trim();
  if (name && !classes().includes(name)) {
    state.classes.push(name);
    $('#filter').append(new Option(name));
  }
  field.value = '';
  field.blur();
  keep();
  select(chosen);
});
$('#save').addEventListener('click', () => {
  const href = URL.createObjectURL(new Blob([table()], { type: 'text/csv' }));
  Object.assign(element('a', ''), { href, download: 'labels.csv' }).click();
  keep(true);
});
document.querySelectorAll('select').forEach((choice) => choice.addEventListener('change', () => {
  arrange();
  choice.blur();  // the keys are for the rows again
}));

DATA.rows.forEach((row, number) => {
  const time = DATA.is_cut ? `${clock(row.start)}–${clock(row.stop)}` : '';
  const cells = { name: DATA.videos[row.video].name, time, class: '', probability: '' };
  Object.assign(row, { number, element: element('div', '', 'row') });
  row.element.append(...Object.entries(cells).map(([name, text]) => element('span', text, name)));
  row.element.addEventListener('click', () => select(row));
  draw(row);
});
$('h1').textContent = DATA.title;
for (const name of ['all', 'labeled', ...classes()]) $('#filter').append(new Option(name));
arrange();
