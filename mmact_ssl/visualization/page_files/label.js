'use strict';

// DATA: {id, title, classes: [name], videos: [{name, src, thumb}], is_cut,
// rows: [[video, start, stop, given class or -1, class or -1, probability, place in next or -1]],
// labels: [[video, start, stop, class, group]], groups: {video: group}}, from label-data.js. All
// names are text, never markup.
const HEIGHT = 31;
const KEY = `mmact_ssl labels ${DATA.id}`;
const $ = (selector) => document.querySelector(selector);
const [VIDEO, START, STOP, GIVEN, CLASS, PROBABILITY, NEXT] = [0, 1, 2, 3, 4, 5, 6];
const list = $('#rows');
// What is labeled here: {row: name, or '' for a label that is cleared}.
const state = JSON.parse(localStorage.getItem(KEY) || '{"classes": [], "labels": {}}');
const TABLE = JSON.stringify(DATA.labels);
// A table that is given after these labels were saved takes their place.
if (state.saved && state.table !== TABLE) state.labels = {};
let order = [];
let chosen = 0;

const classes = () => [...new Set([...DATA.classes, ...state.classes])];
const labelOf = (row) => state.labels[row] ??
  (DATA.rows[row][GIVEN] < 0 ? '' : DATA.classes[DATA.rows[row][GIVEN]]);
const shownClass = (row) => labelOf(row) || (DATA.classes[DATA.rows[row][CLASS]] ?? '');
const clock = (time) => `${Math.floor(time / 60)}:${(time % 60).toFixed(1).padStart(4, '0')}`;

function keep(saved = false) {
  Object.assign(state, { saved, table: TABLE });
  localStorage.setItem(KEY, JSON.stringify(state));
}

const element = (tag, textContent, className = '') =>
  Object.assign(document.createElement(tag), { textContent, className });

function arrange() {
  const row = order[chosen];
  const wanted = $('#filter').selectedIndex;  // all, labeled, or a class
  const name = classes()[wanted - 2];
  const by = $('#order').value;
  order = [...DATA.rows.keys()].filter((number) => wanted === 0 ||
    (wanted === 1 ? labelOf(number) : shownClass(number) === name));
  const place = (number) => (DATA.rows[number][NEXT] < 0 ? Infinity : DATA.rows[number][NEXT]);
  const sure = (number) => (labelOf(number) ? 1 : DATA.rows[number][PROBABILITY]);
  const keys = { next: place, low: sure, high: (number) => -sure(number), time: (number) => number };
  order.sort((a, b) => (keys[by](a) - keys[by](b)) || a - b);
  chosen = Math.max(0, order.indexOf(row));
  list.style.height = `${order.length * HEIGHT}px`;
  $('#count').textContent = `${order.length} of ${DATA.rows.length}, ` +
    `${DATA.rows.filter((_, number) => labelOf(number)).length} labeled`;
  draw();
}

// Only the rows in view exist.
function draw() {
  const view = $('main');
  const first = Math.max(0, Math.floor(view.scrollTop / HEIGHT) - 5);
  const last = first + Math.ceil(view.clientHeight / HEIGHT) + 10;
  list.replaceChildren(...order.slice(first, last).map((number, shift) => {
    const data = DATA.rows[number];
    const row = element('div', '', first + shift === chosen ? 'row chosen' : 'row');
    row.style.top = `${(first + shift) * HEIGHT}px`;
    row.dataset.place = first + shift;
    row.append(element('span', DATA.videos[data[VIDEO]].name, 'name'));
    if (DATA.is_cut) row.append(element('span', `${clock(data[START])}–${clock(data[STOP])}`, 'time'));
    row.append(element('span', shownClass(number), labelOf(number) ? 'class given' : 'class'));
    const sure = data[CLASS] < 0 || labelOf(number) ? '' : `${Math.round(100 * data[PROBABILITY])} %`;
    row.append(element('span', sure, 'probability'));
    return row;
  }));
}

function select(place) {
  if (!order.length) return;
  chosen = Math.min(Math.max(place, 0), order.length - 1);
  const view = $('main');
  const top = chosen * HEIGHT;
  view.scrollTop = Math.min(top, Math.max(view.scrollTop, top + HEIGHT - view.clientHeight));
  show();
  draw();
}

function show() {
  const number = order[chosen];
  const [video, start, stop] = DATA.rows[number];
  const { name, src, thumb } = DATA.videos[video];
  $('#what').textContent = DATA.is_cut ? `${name}, ${clock(start)} to ${clock(stop)}` : name;
  if (thumb) {
    $('#player').replaceChildren(Object.assign(new Image(), { src: thumb }));
  } else {
    const player = element('video', '');
    player.src = DATA.is_cut ? `${src}#t=${start},${stop}` : src;
    const loop = !DATA.is_cut;
    Object.assign(player, { muted: true, autoplay: true, controls: true, playsInline: true, loop });
    player.addEventListener('pause', () => {  // also at the end of the window, and of the file
      if (loop || (player.currentTime < stop - 0.1 && !player.ended)) return;
      player.currentTime = start;
      player.play();
    });
    player.addEventListener('error', () => {
      $('#player').textContent = 'This browser cannot play the file: look at it in another player.';
    });
    $('#player').replaceChildren(player);
  }
  const items = classes().map((name, place) => {
    const item = element('li', '');
    const button = element('button', name, labelOf(number) === name ? 'given' : '');
    button.addEventListener('click', () => label(name));
    item.append(button);
    if (place > 8) item.style.listStyle = 'none';
    return item;
  });
  $('#classes').replaceChildren(...items);
}

function label(name) {
  if (!order.length) return;
  const row = order[chosen];
  const following = name ? order[chosen + 1] ?? row : row;
  state.labels[row] = name;
  keep();
  arrange();
  select(order.indexOf(following));
}

function options() {
  const wanted = Math.max($('#filter').selectedIndex, 0);
  const names = ['all', 'labeled', ...classes()];
  $('#filter').replaceChildren(...names.map((name) => new Option(name)));
  $('#filter').selectedIndex = wanted;
}

const cell = (value) => `"${String(value).replaceAll('"', '""')}"`;

// What a label from here covers: of its window, half of what it shares with one of another class.
function spanOf(number) {
  const [video, start, stop] = DATA.rows[number];
  let [first, last] = [start, stop];
  DATA.rows.forEach(([other, from, to], row) => {
    if (other !== video || !labelOf(row) || labelOf(row) === labelOf(number)) return;
    if (from < start && to > start) first = Math.max(first, (start + to) / 2);
    if (from > start && from < stop) last = Math.min(last, (from + stop) / 2);
  });
  return [DATA.videos[video].name, first, last];
}

// A given label without what was labeled here since.
function rest([video, start, stop, name, group]) {
  let pieces = [[start, stop]];
  for (const row of Object.keys(state.labels)) {
    const [other, from, to] = spanOf(row);
    if (other !== video) continue;
    pieces = pieces.flatMap(([a, b]) => {
      if (a === b) return a >= from && a <= to ? [] : [[a, b]];
      return [[a, Math.min(b, from)], [Math.max(a, to), b]].filter(([c, d]) => c < d);
    });
  }
  // A file that cannot be read has no end: a label of all of it has no times.
  return pieces.map(([a, b]) => [video, ...(b === Infinity ? ['', ''] : [a, b]), name, group]);
}

function table() {
  const lines = DATA.labels.flatMap(rest);
  for (const [row, name] of Object.entries(state.labels)) {
    const [file, start, stop] = spanOf(row);
    if (name) lines.push([file, start, stop, name, DATA.groups[file] ?? '']);
  }
  const columns = DATA.is_cut ? [0, 1, 2, 3, 4] : [0, 3, 4];
  return [['video', 'start', 'stop', 'label', 'group'], ...lines]
    .map((line) => columns.map((column) => cell(line[column])).join(',')).join('\n') + '\n';
}

function save() {
  const href = URL.createObjectURL(new Blob([table()], { type: 'text/csv' }));
  Object.assign(element('a', ''), { href, download: 'labels.csv' }).click();
  keep(true);
}

document.addEventListener('keydown', (event) => {
  if (event.target.matches('input, select') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === ' ' && event.target.matches('button')) return;
  const player = $('#player video');
  if (event.key >= '0' && event.key <= '9') {
    const name = ['', ...classes()][event.key];
    if (name !== undefined) label(name);
  } else if (event.key === 'ArrowDown') {
    select(chosen + 1);
  } else if (event.key === 'ArrowUp') {
    select(chosen - 1);
  } else if (event.key === ' ' && player) {
    if (player.paused) player.play(); else player.pause();
  } else {
    return;
  }
  event.preventDefault();
});
list.addEventListener('click', (event) => {
  const row = event.target.closest('.row');
  if (row) select(Number(row.dataset.place));
});
$('#new').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = $('#new input');
  const name = field.value.trim();
  if (name && !classes().includes(name)) state.classes.push(name);
  field.value = '';
  field.blur();
  keep();
  options();
  if (order.length) show();
});
$('main').addEventListener('scroll', draw);
addEventListener('resize', draw);
$('#save').addEventListener('click', save);
document.querySelectorAll('select').forEach((choice) => choice.addEventListener('change', () => {
  arrange();
  select(0);
  choice.blur();  // the keys are for the rows again
}));
$('h1').textContent = DATA.title;
options();
if (!DATA.rows.some((row) => row[NEXT] >= 0)) $('#order').value = 'time';
arrange();
select(0);
