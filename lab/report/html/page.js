'use strict';
// The page around the pictures, from the block of JSON. Text of the data reaches the document as
// textContent and in no other way.

const problems = [];  // for the test of itself, below
window.addEventListener('error', event => problems.push(String(event.message)));
window.addEventListener('securitypolicyviolation', event => problems.push('blocked: ' + event.violatedDirective));

/** Numbers and their units stay on one line: "61 440", "95 %", "± 0.1", "[-0.1, +0.2]". */
function unbroken(text) {
  return text.replace(/(\d) (?=\d{3}(?!\d))/g, '$1\u202f').replace(/(\d) (?=(%|×|nats|ms)(?![a-z]))/g, '$1\u00a0')
    .replace(/([±×]) (?=\d)/g, '$1\u00a0').replace(/ (?=± )/g, '\u00a0')
    .replace(/\[[-+\d][^\][]{1,40}\]/g, interval => interval.replaceAll(' ', '\u00a0'));
}

function add(parent, tag, text, properties) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = unbroken(text);
  Object.assign(element, properties);
  parent.append(element);
  return element;
}

function list(parent, lines, className) {
  const ul = add(parent, 'ul', null, {className});
  for (const line of lines) add(ul, 'li', line);
  return ul;
}

// --- the parts of the page ----------------------------------------------------------------------

const kHowTo = 'Charts: drag to zoom, double-click to reset. Click a name in a legend to hide or show it.';
const kVerdicts = {helps: 'helps', hurts: 'hurts'};  // classes of a cell that says so

/** `key`: how many columns are in sight on a phone, where a row is a card; 0: all are. */
function addTable(parent, lines, title, key) {
  if (key > 0 && key < lines[0].length)
    add(parent, 'button', 'All columns', {type: 'button', className: 'columns', onclick: event =>
      event.target.textContent = box.classList.toggle('all') ? 'Fewer columns' : 'All columns'});
  const box = add(parent, 'div', null, {className: key > 0 ? 'scroll cards' : 'scroll', tabIndex: 0});
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', 'Table: ' + title);
  const table = add(box, 'table'), head = add(add(table, 'thead'), 'tr'), body = add(table, 'tbody');
  // Columns of words to the left, of numbers to the right.
  const any = (i, is) => lines.slice(1).some(line => is(line[i]));
  const words = lines[0].map((_, i) => (any(i, text => /^[a-z→]/i.test(text)) ? 'words ' : '') +
                                       (any(i, text => text.length > 32) ? 'long ' : '') +
                                       (key > 0 && i >= key ? 'more ' : ''));
  lines[0].forEach((name, i) => add(head, 'th', name, {scope: 'col', className: words[i]}));
  for (const line of lines.slice(1)) {
    const row = add(body, 'tr');
    line.forEach((text, i) => {
      if (i === 0) add(row, 'th', text, {scope: 'row', className: text.length > 24 ? 'words long' : 'words'});
      else add(row, 'td', text, {className: words[i] + (kVerdicts[text] ?? '')}).dataset.head = unbroken(lines[0][i]);
    });
  }
}

function addPicture(parent, picture, name) {
  const figure = add(parent, 'figure');
  add(figure, 'h3', picture.title);
  const box = add(figure, 'div', null, {className: 'chart'});
  const canvas = add(box, 'canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${picture.title}. ${picture.caption}`);
  add(figure, 'figcaption', picture.caption);
  const buttons = add(figure, 'div', null, {className: 'buttons'});
  const entry = {canvas, picture, chart: null, view: null, drag: null, trim: trimOf(picture)};
  add(buttons, 'button', 'Data (CSV)', {type: 'button', onclick: () => saveText(name + '.csv', csvOf(picture))});
  add(buttons, 'button', 'Chart (PNG)', {type: 'button', onclick: () => save(name + '.png', pngOf(entry.chart))});
  entry.button = add(buttons, 'button', '', {type: 'button', onclick: () => look(entry, entry.view === null ? 'all' : null)});
  entry.button.hidden = true;
  zoomByDragging(entry);
  charts.push(entry);
}

/** A file that is not final is written after every run. Nobody who looks closely at a chart is
    disturbed. Screenshots and the test of itself see one page: ?light and ?dark never reload, and
    ?selftest does so once. Returns the seconds between two; 0: never. */
function reloadWhileMissing(page) {
  const seconds = 5, asked = name => location.search.includes(name);
  const done = asked('selftest') && performance.getEntriesByType('navigation')[0].type === 'reload';
  if (page.missing.length === 0 || asked('light') || asked('dark') || done) return 0;
  const close = entry => entry.view !== null || entry.chart.data.datasets.some((_, i) => !entry.chart.isDatasetVisible(i));
  setInterval(() => { if (!document.hidden && !charts.some(close)) location.reload(); }, 1000 * seconds);
  return seconds;
}

function addContents(parent, page) {
  const titles = page.sections.map((section, i) => [section.title, `section-${i + 1}`]).filter(([title]) => title);
  if (titles.length < 2) return;
  const nav = add(parent, 'nav', null, {className: 'contents'});
  nav.setAttribute('aria-label', 'Contents');
  const ul = add(nav, 'ul');
  for (const [title, id] of titles) add(add(ul, 'li'), 'a', title, {href: '#' + id});
  add(add(ul, 'li'), 'a', 'Notes', {href: '#notes'});
}

/** Long lists are folded. */
function addNotes(parent, lines) {
  if (lines.length === 0) return;
  const details = add(parent, 'details', null, {className: 'notes', open: lines.length <= (narrow() ? 3 : 6)});
  add(details, 'summary', lines.length === 1 ? '1 note' : `${lines.length} notes`);
  list(details, lines);
}

function build(page, root) {
  document.title = 'isodrop: ' + page.title;
  root.replaceChildren();
  const header = add(root, 'header');
  add(header, 'h1', page.title);
  add(header, 'button', 'Light / dark', {type: 'button', onclick: () => theme(dark() ? 'light' : 'dark')});
  if (page.missing.length > 0) {
    const box = add(root, 'div', null, {className: 'missing'});
    box.setAttribute('role', 'status');
    add(box, 'strong', page.missing[0]);
    if (page.missing.length > 1) {
      const details = add(box, 'details', null, {open: page.missing.length < 8});
      add(details, 'summary', 'Missing runs');
      list(details, page.missing.slice(1));
    }
  }
  add(root, 'p', page.answer, {className: page.answer.length > 240 ? 'answer long' : 'answer'});
  list(root, page.facts, 'facts');
  addContents(root, page);
  page.sections.forEach((section, i) => {
    if (section.title) add(root, 'h2', section.title, {id: `section-${i + 1}`});
    if (section.table.length > 0) addTable(root, section.table, section.title || page.title, section.key);
    addNotes(root, section.notes);
    const pictures = add(root, 'div', null, {className: 'pictures'});
    for (const picture of section.pictures) addPicture(pictures, picture, `${picture.id}-${i + 1}`);
  });
  add(root, 'h2', 'Notes', {id: 'notes'});
  list(root, [...page.footnotes, ...(charts.length > 0 ? [kHowTo] : [])], 'footnotes');
  if (page.csv)
    add(root, 'button', 'All runs (CSV)', {type: 'button', onclick: () => saveText('runs.csv', page.csv)});
}

// --- light and dark -----------------------------------------------------------------------------

const kSystem = window.matchMedia('(prefers-color-scheme: dark)');
let chosen = null;  // by the button, and kept when the page reloads; null: as the system has it

function dark() { return document.documentElement.dataset.theme === 'dark'; }

function theme(choice) {
  chosen = choice;
  history.replaceState({theme: chosen}, '');
  show(chosen ?? (kSystem.matches ? 'dark' : 'light'));
}

function show(name) {
  document.documentElement.dataset.theme = name;
  for (const entry of charts) {
    const hidden = entry.chart ? entry.chart.data.datasets.map((_, i) => !entry.chart.isDatasetVisible(i)) : [];
    entry.chart?.destroy();
    entry.base = {};
    entry.chart = draw(entry);
    look(entry, entry.view);
    hidden.forEach((is, i) => { if (is) entry.chart.setDatasetVisibility(i, false); });
    if (hidden.includes(true)) entry.chart.update('none');
  }
}

function start() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const page = JSON.parse(document.getElementById('data').textContent);
  build(page, document.getElementById('page'));
  // ?light and ?dark are for screenshots.
  theme(['light', 'dark'].find(name => location.search.includes(name)) ?? history.state?.theme ?? null);
  const reloads = reloadWhileMissing(page);
  let width = window.innerWidth;
  window.addEventListener('resize', () => {  // names of places may have to stand elsewhere
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    show(document.documentElement.dataset.theme);
  });
  kSystem.addEventListener('change', () => { if (chosen === null) theme(null); });
  window.addEventListener('beforeprint', () => {  // ink on paper, as fine as that, two beside each other
    show('light');
    for (const {chart, canvas} of charts) {
      const wide = canvas.closest('figure').matches(':last-child:nth-child(odd)');  // as in report.css
      chart.options.devicePixelRatio = 3;
      const {options} = chart;
      chart.resize(wide ? 880 : 440, options.picture.horizontal ? heightOf(options.picture) : 300);
    }
  });
  window.addEventListener('afterprint', () => theme(chosen));
  if (location.search.includes('selftest')) selftest(reloads);
}

// --- report.html?selftest: what a browser made of the page, as JSON in the document (tests/slow) -----

function examine(entry) {
  const {chart, picture, canvas} = entry, button = entry.button.hidden ? '' : entry.button.textContent;
  look(entry, 'all');
  const leads = chart.data.datasets.map((dataset, i) => ({dataset, i})).filter(({dataset}) => dataset.leads);
  const drawn = ({i}) => chart.getDatasetMeta(i).data.filter(e => !e.skip && Number.isFinite(e.x) && Number.isFinite(e.y));
  const inside = e => e.x >= chart.chartArea.left - 1 && e.x <= chart.chartArea.right + 1 &&
                      e.y >= chart.chartArea.top - 1 && e.y <= chart.chartArea.bottom + 1;
  const marks = leads.map(lead => drawn(lead).filter(inside).length);
  // A pointer over the first mark.
  const {x, y} = chart.getDatasetMeta(leads[0].i).data.find(e => !e.skip).getCenterPoint();
  const under = chart.getElementsAtEventForMode({type: 'mousemove', x, y, chart, native: null},
                                                'nearest', chart.options.interaction, false);
  chart.tooltip.setActiveElements(under.map(e => ({datasetIndex: e.datasetIndex, index: e.index})), {x, y});
  chart.update('none');
  const hover = [...(chart.tooltip.title ?? []), ...(chart.tooltip.body ?? []).flatMap(item => item.lines)];
  // The legend's first entry, off and on.
  const item = chart.legend.legendItems[0], legend = chart.options.plugins.legend;
  const visible = () => chart.data.datasets.filter((dataset, i) => dataset.series === 0 && chart.isDatasetVisible(i)).length;
  const before = visible();
  if (item) legend.onClick(null, item, chart.legend);
  const off = visible();
  if (item) legend.onClick(null, chart.legend.legendItems[0], chart.legend);
  const ink = new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
  const seen = {id: picture.id, button, namesLeftOut: chart.namesLeftOut, wanted: picture.series.map(s => s.marks.filter(m => m[1] !== null).length), marks, hover,
          entries: chart.legend.legendItems.length, before, off, after: visible(), colours: ink,
          csv: csvOf(picture), png: pngOf(chart).length,
          label: canvas.getAttribute('aria-label')};
  look(entry, null);
  return seen;
}

/** Of every table, the columns that end right of what is in sight. */
function columnsOutOfSight(box) {
  const right = box.getBoundingClientRect().right + 1;
  return [...box.querySelectorAll('tbody tr:last-child > td')]
    .filter(e => e.offsetParent && e.getBoundingClientRect().right > right).map(e => e.dataset.head);
}

function selftest(reloads) {
  let pictures = [];
  try {
    pictures = charts.map(examine);
  } catch (error) {
    problems.push(String(error));
  }
  const result = {problems, pictures, reloads, hidden: [...document.querySelectorAll('.scroll')].map(columnsOutOfSight),
                  contents: document.querySelectorAll('nav a').length,
                  navigation: performance.getEntriesByType('navigation')[0].type, theme: document.documentElement.dataset.theme,
                  tables: document.querySelectorAll('tbody tr').length,
                  text: document.querySelector('h1').textContent, scripts: document.scripts.length};
  add(document.body, 'pre', null, {id: 'selftest', textContent: JSON.stringify(result)});
}
