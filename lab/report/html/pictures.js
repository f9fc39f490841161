'use strict';
// A picture (page.h) as a configuration of Chart.js. A series is one entry of the legend and one to
// three datasets: what it is drawn with stands in dataset.series (its number) and dataset.leads (of
// those datasets the one that the legend shows).

// Seven and eight, so that only the 57th series looks like the first.
const kShapes = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'crossRot', 'rectRounded'];
const kColours = 8;

/** The value of a CSS variable, so that colours stand in report.css alone. */
function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
}

function colourOf(series) { return css('c' + series.colour % kColours); }

function number(x) {
  if (x === null || x === undefined) return '–';
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return x.toExponential(2);
  return String(Number(size < 1 ? x.toFixed(4) : x.toPrecision(5)));
}

/** A mark as [at, value, lo, hi, note] with a name for each. */
function read(mark) {
  return {at: mark[0], value: mark[1], lo: mark[2] ?? null, hi: mark[3] ?? null, note: mark[4] ?? []};
}

/** Of a place on the axis: its name, or the number with the axis' label; none between names. */
function placeName(axis, at) {
  const named = axis.ticks.find(tick => tick[0] === at);
  return named ? [named[1]] : axis.ticks.length > 0 ? [] : [`${axis.label}: ${number(at)}`];
}

/** What a pointer over a mark shows, a line each. */
function hoverLines(picture, mark) {
  let text = number(mark.value);
  if (mark.lo !== null && mark.hi !== null) text += ` [${number(mark.lo)}, ${number(mark.hi)}]`;
  return [...placeName(picture.at, mark.at), text, ...mark.note];
}

function datasetsOf(picture, series, index) {
  const colour = colourOf(series), marks = series.marks.map(read);
  const point = (m, v) => (picture.horizontal ? {x: v, y: m.at} : {x: m.at, y: v});
  const common = {label: series.name, series: index, leads: false, borderColor: colour, backgroundColor: colour,
                  indexAxis: picture.horizontal ? 'y' : 'x'};
  const interval = marks.some(m => m.lo !== null && m.hi !== null);
  const out = [];
  if (series.drawn === 'bars') {
    out.push({...common, type: 'bar', stack: series.stack || undefined, leads: true, maxBarThickness: 26,
              data: marks.map(m => point(m, m.value))});
    return out;
  }
  if (series.drawn === 'line' && interval) {
    const edge = {...common, type: 'line', pointRadius: 0, pointHoverRadius: 0, borderWidth: 0,
                  backgroundColor: colour + '2c'};
    out.push({...edge, fill: false, data: marks.map(m => point(m, m.lo))});
    out.push({...edge, fill: '-1', data: marks.map(m => point(m, m.hi))});
  }
  if (series.drawn === 'points' && interval)
    out.push({...common, type: 'bar', grouped: false, barThickness: 9, borderRadius: 4, borderSkipped: false,
              backgroundColor: colour + '66',
              data: marks.map(m => point(m, m.lo === null || m.hi === null ? null : [m.lo, m.hi]))});
  const line = series.drawn === 'line', many = line && marks.length > 12;
  out.push({...common, type: 'line', leads: true, showLine: line, borderDash: series.dashed ? [6, 4] : [],
            borderWidth: series.quiet ? 1 : 2, pointStyle: many ? 'line' : kShapes[series.colour % kShapes.length],
            pointRadius: many ? 0 : series.quiet ? 2.5 : line ? 3.5 : 5, pointHoverRadius: 6, pointHitRadius: 8,
            backgroundColor: series.quiet ? colour + '80' : colour,
            borderColor: series.quiet ? colour + '90' : colour, spanGaps: false,
            data: marks.map(m => point(m, m.value))});
  return out;
}

/** Long names in lines of about so many characters. */
function wrapped(text, width) {
  const lines = [''];
  for (const word of text.split(/(?<=[ ,_:@])/)) {
    if (lines[lines.length - 1] && (lines[lines.length - 1] + word).length > width) lines.push('');
    lines[lines.length - 1] += word;
  }
  return lines.map(line => line.trim());
}

function scaleOf(axis, isPlaces, picture, narrow) {
  const scale = {type: axis.log ? 'logarithmic' : 'linear', grid: {color: css('grid')}, border: {color: css('line')},
                 title: {display: axis.label !== '', color: css('soft'),
                         text: wrapped(axis.label, narrow || !isPlaces && !picture.horizontal ? 34 : 50)},
                 ticks: {color: css('soft')}};
  if (axis.log)  // a name for every power of ten
    scale.ticks.callback = value => (Number.isInteger(Math.round(1e6 * Math.log10(value)) / 1e6) ? number(value) : '');
  if (!isPlaces) {
    scale.beginAtZero = picture.series.some(series => series.drawn === 'bars');
    scale.grace = '4%';
    scale.suggestedMin = picture.shade?.from ?? picture.rule ?? undefined;
    scale.suggestedMax = picture.shade?.to ?? picture.rule ?? undefined;
    return scale;
  }
  scale.reverse = picture.horizontal;
  if (axis.ticks.length === 0) return scale;
  const places = axis.ticks.map(tick => tick[0]).sort((a, b) => a - b);
  const gaps = places.slice(1).map((place, i) => place - places[i]);
  const room = gaps.length > 0 ? 0.5 * Math.min(...gaps) : 0.5;
  scale.min = places[0] - room;
  scale.max = places[places.length - 1] + room;
  scale.grid.display = false;
  scale.afterBuildTicks = built => { built.ticks = places.map(value => ({value})); };
  scale.ticks.autoSkip = false;
  scale.ticks.callback = value => wrapped((axis.ticks.find(tick => tick[0] === value) ?? [0, ''])[1],
                                          picture.horizontal ? (narrow ? 14 : 28) : 18);
  return scale;
}

/** The shaded stretch of values and the line, below everything else. */
const kBackdrop = {
  id: 'backdrop',
  beforeDraw(chart) {
    const {ctx, chartArea: area, picture} = {...chart, picture: chart.options.picture,
                                             ctx: chart.ctx, chartArea: chart.chartArea};
    ctx.save();
    ctx.fillStyle = css('paper');
    ctx.fillRect(0, 0, chart.width, chart.height);
    const scale = chart.scales[picture.horizontal ? 'x' : 'y'];
    const stretch = (from, to) => picture.horizontal
      ? [from, area.top, to - from, area.height] : [area.left, to, area.width, from - to];
    const place = value => Math.max(picture.horizontal ? area.left : area.top,
      Math.min(picture.horizontal ? area.right : area.bottom, scale.getPixelForValue(value)));
    if (picture.shade) {
      ctx.fillStyle = css('shade');
      ctx.fillRect(...stretch(place(picture.shade.from), place(picture.shade.to)));
    }
    if (picture.rule !== null) {
      const at = scale.getPixelForValue(picture.rule);
      ctx.fillStyle = css('soft');
      ctx.fillRect(...(picture.horizontal ? [at - 0.5, area.top, 1, area.height]
                                          : [area.left, at - 0.5, area.width, 1]));
    }
    ctx.restore();
  },
};

/** Switches all that a series is drawn with. */
function toggle(chart, index, visible) {
  chart.data.datasets.forEach((dataset, i) => {
    if (dataset.series === index) chart.setDatasetVisibility(i, visible);
  });
  chart.update();
}

/** An entry for every series, dashed where its line is. */
function legendItems(chart) {
  return Chart.defaults.plugins.legend.labels.generateLabels(chart)
    .filter(item => chart.data.datasets[item.datasetIndex].leads)
    .map(item => ({...item, lineDash: item.pointStyle === 'line' ? chart.data.datasets[item.datasetIndex].borderDash : []}));
}

function heightOf(picture) {
  const rows = picture.at.ticks.length;
  return picture.horizontal ? 140 + (rows > 6 ? 32 : 46) * Math.max(1, rows) : rows > 6 ? 460 : 340;
}

/** Draws into a canvas. REQUIRES: the canvas is in the document. */
function draw(canvas, picture) {
  const narrow = window.innerWidth < 640;
  const [placesId, valuesId] = picture.horizontal ? ['y', 'x'] : ['x', 'y'];
  const one = picture.series.length > 1 || picture.shade !== null;
  const datasets = picture.series.flatMap((series, i) => datasetsOf(picture, series, i));
  const bars = picture.series.some(series => series.drawn === 'bars');
  const stacked = picture.series.some(series => series.stack !== '');
  const markOf = item => read(picture.series[item.dataset.series].marks[item.dataIndex]);
  const scales = {[placesId]: scaleOf(picture.at, true, picture, narrow),
                  [valuesId]: scaleOf(picture.value, false, picture, narrow)};
  if (stacked) scales[placesId].stacked = scales[valuesId].stacked = true;
  return new Chart(canvas, {
    type: 'line',
    data: {datasets},
    plugins: [kBackdrop],
    options: {
      picture, scales, indexAxis: picture.horizontal ? 'y' : 'x',
      animation: false, responsive: true, maintainAspectRatio: false,
      // Anywhere along a bar is on it.
      interaction: {mode: 'nearest', intersect: false, axis: bars ? placesId : 'xy'},
      plugins: {
        title: {display: false, text: wrapped(picture.title, 70), color: css('ink')},
        legend: {
          display: one, position: 'bottom',
          labels: {color: css('ink'), usePointStyle: true, boxWidth: 9, boxHeight: 9,
                   pointStyleWidth: datasets.some(dataset => dataset.pointStyle === 'line') ? 24 : undefined,
                   generateLabels: chart => legendItems(chart)},
          onClick: (event, item, legend) =>
            toggle(legend.chart, legend.chart.data.datasets[item.datasetIndex].series, item.hidden),
        },
        tooltip: {
          // A bar and its point are one mark.
          filter: (item, i, all) => i === all.findIndex(other => other.dataset.series === item.dataset.series &&
                                                                  other.dataIndex === item.dataIndex),
          callbacks: {title: items => (items.length > 0 ? items[0].dataset.label : ''),
                      label: item => hoverLines(picture, markOf(item))},
        },
      },
    },
  });
}
