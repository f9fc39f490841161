'use strict';
// What can be done with a chart: save what it shows, and choose the part of it that is in sight.

const charts = [];  // {canvas, picture, chart, view, base, drag, trim, button}

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

// --- what part of a chart is in sight -----------------------------------------------------------

/** null: as at first; 'all': every value; {x: [from, to], y: [from, to]}: what was dragged over. */
function look(entry, view) {
  entry.view = view;
  const {chart, trim} = entry;
  const values = entry.chart.options.picture.horizontal ? 'x' : 'y';
  for (const id of ['x', 'y']) {
    const scale = chart.options.scales[id];
    entry.base[id] ??= [scale.min, scale.max];
    [scale.min, scale.max] = view?.[id] ?? entry.base[id];
    if (view === null && trim && id === values) scale.max = trim.to;
  }
  chart.update('none');
  entry.button.hidden = view === null && !trim;
  entry.button.textContent = view === null ? `Show all values (${trim?.above} above)` : trim && view === 'all' ? 'Leave out early values' : 'Reset zoom';
}

function zoomByDragging(entry) {
  const {canvas} = entry;
  const at = event => {
    const area = entry.chart.chartArea;
    return {x: Math.max(area.left, Math.min(area.right, event.offsetX)), y: Math.max(area.top, Math.min(area.bottom, event.offsetY))};
  };
  let from = null;
  const end = () => { from = entry.drag = null; };
  canvas.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.pointerType === 'touch') return;  // a finger scrolls
    from = at(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', event => {
    if (!from) return;
    const to = at(event);
    entry.drag = {x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y)};
    entry.chart.draw();
  });
  canvas.addEventListener('pointerup', () => {
    const box = entry.drag;
    end();
    if (!box || box.width < 8 || box.height < 8) return entry.chart.draw();
    const values = (id, ...pixels) => pixels.map(pixel => entry.chart.scales[id].getValueForPixel(pixel)).sort((a, b) => a - b);
    look(entry, {x: values('x', box.x, box.x + box.width), y: values('y', box.y, box.y + box.height)});
  });
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('dblclick', () => look(entry, null));
}
