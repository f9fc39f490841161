'use strict';
// The page around the pictures, from the block of JSON. Text of the data reaches the document as
// textContent and in no other way.

const problems = [];  // for the test of itself, below
window.addEventListener('error', event => problems.push(String(event.message)));
window.addEventListener('securitypolicyviolation', event => problems.push('blocked: ' + event.violatedDirective));

const charts = [];  // {canvas, picture, chart}

function add(parent, tag, text, properties) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  Object.assign(element, properties);
  parent.append(element);
  return element;
}

function list(parent, lines, className) {
  const ul = add(parent, 'ul', null, {className});
  for (const line of lines) add(ul, 'li', line);
  return ul;
}

function save(name, href) {
  const link = add(document.body, 'a', null, {href, download: name});
  link.click();
  link.remove();
}

function saveText(name, text) {
  const url = URL.createObjectURL(new Blob([text], {type: 'text/csv'}));
  save(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// --- what a picture shows, as files -------------------------------------------------------------

function csvField(value) {
  // As csv_field() in table.cpp: text that a spreadsheet would take for a formula stays text.
  const formula = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) && isNaN(value);
  const text = value === null || value === undefined ? '' : (formula ? "'" : '') + String(value);
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function csvOf(picture) {
  const rows = [['series', picture.at.label || 'place', 'name', picture.value.label || 'value', 'low', 'high', 'note']];
  for (const series of picture.series)
    for (const mark of series.marks.map(read)) {
      const named = picture.at.ticks.find(tick => tick[0] === mark.at);
      rows.push([series.name, mark.at, named ? named[1] : '', mark.value, mark.lo, mark.hi, mark.note.join('; ')]);
    }
  return rows.map(row => row.map(csvField).join(',') + '\r\n').join('');
}

/** With the title, which on the page stands above the canvas, and fine enough for a slide. */
function pngOf(chart) {
  const change = (title, pixels) => {
    chart.options.plugins.title.display = title;
    chart.options.devicePixelRatio = pixels;
    chart.resize();
    chart.update('none');
  };
  change(true, Math.max(2, window.devicePixelRatio));
  const url = chart.toBase64Image('image/png');
  change(false, undefined);
  return url;
}

// --- the parts of the page ----------------------------------------------------------------------

const kVerdicts = {helps: 'helps', hurts: 'hurts'};  // classes of a cell that says so

function addTable(parent, lines, title) {
  const box = add(parent, 'div', null, {className: 'scroll', tabIndex: 0});
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', 'Table: ' + title);
  const table = add(box, 'table'), head = add(add(table, 'thead'), 'tr'), body = add(table, 'tbody');
  // Columns of words to the left, of numbers to the right.
  const any = (i, is) => lines.slice(1).some(line => is(line[i]));
  const words = lines[0].map((_, i) => (any(i, text => /^[a-z→]/i.test(text)) ? 'words ' : '') +
                                       (any(i, text => text.length > 20) ? 'long ' : ''));
  lines[0].forEach((name, i) => add(head, 'th', name, {scope: 'col', className: words[i]}));
  for (const line of lines.slice(1)) {
    const row = add(body, 'tr');
    line.forEach((text, i) => i === 0 ? add(row, 'th', text, {scope: 'row', title: text, className: 'words'})
                                      : add(row, 'td', text, {className: words[i] + (kVerdicts[text] ?? '')}));
  }
}

function addPicture(parent, picture, name) {
  const figure = add(parent, 'figure');
  add(figure, 'h3', picture.title);
  const box = add(figure, 'div', null, {className: 'chart'});
  box.style.height = heightOf(picture) + 'px';
  const canvas = add(box, 'canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${picture.title}. ${picture.caption}`);
  add(figure, 'figcaption', picture.caption);
  const buttons = add(figure, 'div', null, {className: 'buttons'});
  const entry = {canvas, picture, chart: null};
  add(buttons, 'button', 'Data (CSV)', {type: 'button', onclick: () => saveText(name + '.csv', csvOf(picture))});
  add(buttons, 'button', 'Picture (PNG)', {type: 'button', onclick: () => save(name + '.png', pngOf(entry.chart))});
  charts.push(entry);
}

function build(page, root) {
  document.title = 'isodrop: ' + page.title;
  root.replaceChildren();
  const header = add(root, 'header');
  add(header, 'h1', page.title);
  add(header, 'button', 'Light or dark', {type: 'button', onclick: () => theme(dark() ? 'light' : 'dark')});
  if (page.missing.length > 0) {
    const box = add(root, 'div', null, {className: 'missing'});
    box.setAttribute('role', 'status');
    add(box, 'strong', page.missing[0]);
    if (page.missing.length > 1) {
      const details = add(box, 'details', null, {open: page.missing.length < 8});
      add(details, 'summary', 'which');
      list(details, page.missing.slice(1));
    }
  }
  add(root, 'p', page.answer, {className: page.answer.length > 240 ? 'answer long' : 'answer'});
  list(root, page.facts, 'facts');
  page.sections.forEach((section, i) => {
    if (section.title) add(root, 'h2', section.title);
    if (section.table.length > 0) addTable(root, section.table, section.title || page.title);
    list(root, section.notes, 'notes');
    const pictures = add(root, 'div', null, {className: 'pictures'});
    for (const picture of section.pictures) addPicture(pictures, picture, `${picture.id}-${i + 1}`);
  });
  list(root, page.footnotes, 'footnotes');
  if (page.csv)
    add(root, 'button', 'All runs (CSV)', {type: 'button', onclick: () => saveText('runs.csv', page.csv)});
}

// --- light and dark -----------------------------------------------------------------------------

const kSystem = window.matchMedia('(prefers-color-scheme: dark)');
let chosen = null;  // by the button; null: as the system has it

function dark() { return document.documentElement.dataset.theme === 'dark'; }

function theme(choice) {
  chosen = choice;
  show(chosen ?? (kSystem.matches ? 'dark' : 'light'));
}

function show(name) {
  document.documentElement.dataset.theme = name;
  for (const entry of charts) {
    const hidden = entry.chart ? entry.chart.data.datasets.map((_, i) => !entry.chart.isDatasetVisible(i)) : [];
    entry.chart?.destroy();
    entry.chart = draw(entry.canvas, entry.picture);
    hidden.forEach((is, i) => { if (is) entry.chart.setDatasetVisibility(i, false); });
    if (hidden.includes(true)) entry.chart.update('none');
  }
}

function start() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  build(JSON.parse(document.getElementById('data').textContent), document.getElementById('page'));
  // ?light and ?dark for whoever takes pictures of the page.
  const wanted = ['light', 'dark'].find(name => location.search.includes(name)) ?? null;
  theme(wanted);
  kSystem.addEventListener('change', () => { if (chosen === null) theme(null); });
  window.addEventListener('beforeprint', () => {  // ink on paper, as fine as that, two beside each other
    show('light');
    for (const {chart, picture, canvas} of charts) {
      const wide = canvas.closest('figure').matches(':last-child:nth-child(odd)');  // as in report.css
      chart.options.devicePixelRatio = 3;
      chart.resize(wide ? 880 : 440, picture.horizontal ? heightOf(picture) : 300);
    }
  });
  window.addEventListener('afterprint', () => theme(chosen));
  if (location.search.includes('selftest')) selftest();
}

// --- report.html?selftest: what a browser made of it, as JSON in the document ------------------

function examine({chart, picture, canvas}) {
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
  return {id: picture.id, wanted: picture.series.map(s => s.marks.filter(m => m[1] !== null).length), marks, hover,
          entries: chart.legend.legendItems.length, before, off, after: visible(), colours: ink,
          csv: csvOf(picture).split('\r\n').length - 2, png: pngOf(chart).length,
          label: canvas.getAttribute('aria-label')};
}

function selftest() {
  let pictures = [];
  try {
    pictures = charts.map(examine);
  } catch (error) {
    problems.push(String(error));
  }
  const result = {problems, pictures, theme: document.documentElement.dataset.theme,
                  tables: document.querySelectorAll('tbody tr').length,
                  text: document.querySelector('h1').textContent, scripts: document.scripts.length};
  add(document.body, 'pre', JSON.stringify(result), {id: 'selftest'});
}
