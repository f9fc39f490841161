'use strict';
// A picture (page.h) as a configuration of Chart.js. A series is one entry of the legend and one to
// three datasets: what it is drawn with stands in dataset.series (its number) and dataset.leads (of
// those datasets the one that the legend shows).

// Seven and eight, so that only the 57th series looks like the first.
const kShapes = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'crossRot', 'rectRounded'];
const kColours = 8;

function colourOf(series) { return css('c' + series.colour % kColours); }

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

/** The shaded stretches of values and the line, below everything else; on top, what a pointer is
    dragged over (page.js). */
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
    const places = chart.scales[picture.horizontal ? 'y' : 'x'];
    ctx.fillStyle = css('shade');
    for (const shade of picture.shades) {
      const [x, y, width, height] = stretch(place(shade.from), place(shade.to));
      if (shade.at === null) {
        ctx.fillRect(x, y, width, height);
        continue;
      }
      const [start, end] = [picture.horizontal ? area.top : area.left, picture.horizontal ? area.bottom : area.right];
      const [from, to] = shade.at.map(at => Math.max(start, Math.min(end, places.getPixelForValue(at))));
      ctx.fillRect(...(picture.horizontal ? [x, from, width, to - from] : [from, y, to - from, height]));
    }
    if (picture.rule !== null && picture.rule >= scale.min && picture.rule <= scale.max) {
      const at = scale.getPixelForValue(picture.rule);
      ctx.fillStyle = css('soft');
      ctx.fillRect(...(picture.horizontal ? [at - 0.5, area.top, 1, area.height]
                                          : [area.left, at - 0.5, area.width, 1]));
    }
    ctx.restore();
  },
  afterDraw(chart) {
    const box = chart.options.entry.drag;
    if (!box) return;
    chart.ctx.save();
    chart.ctx.fillStyle = css('c1') + '30';
    chart.ctx.strokeStyle = css('c1');
    chart.ctx.fillRect(box.x, box.y, box.width, box.height);
    chart.ctx.strokeRect(box.x, box.y, box.width, box.height);
    chart.ctx.restore();
  },
};

const kNameHeight = 14, kNameFont = 11, kNear = 30;  // pixels
const kNameDistances = [8, 22, 38, 56, 76, 98, 122, 150];

/** The points of a chart that lie in sight, each with the name that stands beside it, or null. */
function pointsInSight(chart) {
  const {chartArea: area} = chart, points = [];
  chart.data.datasets.forEach((dataset, i) => {
    if (!dataset.leads || !chart.isDatasetVisible(i)) return;
    const series = chart.options.picture.series[dataset.series];
    chart.getDatasetMeta(i).data.forEach((e, j) => {
      if (!e.skip && e.x >= area.left && e.x <= area.right && e.y >= area.top && e.y <= area.bottom)
        points.push({x: e.x, y: e.y, colour: dataset.borderColor, name: series.named ? read(series.marks[j]).note[0] : null});
    });
  });
  return points;
}

/** Points near each other that have the same name share it. */
function namesOf(points) {
  const names = [];
  for (const point of points.filter(point => point.name)) {
    const near = names.find(other => other.name === point.name && Math.hypot(other.x - point.x, other.y - point.y) < kNear);
    if (!near) names.push({...point});
    else if (near.colour !== point.colour) near.colour = css('soft');
  }
  return names;
}

/** Boxes around what no name may cover: the points, and the lines in steps of a few pixels. */
function takenIn(chart, points) {
  const around = (x, y, size) => ({x: x - size, y: y - size, width: 2 * size, height: 2 * size});
  const taken = points.map(({x, y}) => around(x, y, 6));
  chart.data.datasets.forEach((dataset, i) => {
    if (!dataset.showLine || !chart.isDatasetVisible(i)) return;
    chart.getDatasetMeta(i).data.forEach((b, j, all) => {
      const a = all[Math.max(0, j - 1)], steps = Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / 4);
      for (let k = 0; k < steps; ++k) taken.push(around(a.x + (b.x - a.x) * k / steps, a.y + (b.y - a.y) * k / steps, 2));
    });
  });
  return taken;
}

/** The nearest free place for a box of this size beside a point, and how far it is; null: none. */
function placeBeside({x, y}, width, height, free) {
  for (const far of kNameDistances) {
    const [left, middle, right] = [-far - width, -width / 2, far], [above, level, below] = [-far - height / 2, -height / 2, far - height / 2];
    const box = [[right, level], [left, level], [middle, above], [middle, below], [right, above], [right, below], [left, above], [left, below]]
      .map(([dx, dy]) => ({x: x + dx, y: y + dy, width, height})).find(free);
    if (box) return {box, far};
  }
  return null;
}

/** The names of points: beside them, and where that is taken farther off, with a line to the point.
    A name for which there is no place is left out; a pointer over the point shows it. */
const kNames = {
  id: 'names',
  afterDatasetsDraw(chart) {
    const {ctx, chartArea: area} = chart;
    const points = pointsInSight(chart), taken = takenIn(chart, points);
    const free = box => box.x >= area.left && box.x + box.width <= area.right && box.y >= area.top &&
      box.y + box.height <= area.bottom && !taken.some(other => box.x < other.x + other.width &&
      other.x < box.x + box.width && box.y < other.y + other.height && other.y < box.y + box.height);
    chart.namesLeftOut = 0;  // for the test of itself
    ctx.save();
    ctx.font = `${kNameFont}px ${Chart.defaults.font.family}`;
    ctx.textBaseline = 'middle';
    for (const point of namesOf(points)) {
      const place = placeBeside(point, ctx.measureText(point.name).width + 4, kNameHeight, free);
      if (!place) {
        ++chart.namesLeftOut;
        continue;
      }
      const {box, far} = place;
      taken.push(box);
      if (far > kNameDistances[0]) {
        ctx.strokeStyle = css('line');
        ctx.beginPath();
        ctx.moveTo(point.x, point.y);
        ctx.lineTo(Math.max(box.x, Math.min(point.x, box.x + box.width)), Math.max(box.y, Math.min(point.y, box.y + box.height)));
        ctx.stroke();
      }
      ctx.fillStyle = point.colour;
      ctx.fillText(point.name, box.x + 2, box.y + box.height / 2);
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

/** In pixels, of a picture that is fitted(). */
function heightOf(picture) {
  if (!picture.horizontal) return picture.series.some(series => series.named) ? 460 : 360;
  if (picture.at.ticks.length === 0) return 340;
  const {first, last, gap} = spanOf(picture.at), rows = (last - first) / gap + 1;
  const oneLine = picture.at.ticks.every(([, name]) => name.length <= rowWidth());
  return 140 + (rows > 6 && oneLine ? 32 : 46) * rows;
}

/** Draws an entry of the page's charts. REQUIRES: its canvas is in the document. */
function draw(entry) {
  const {canvas} = entry, picture = fitted(entry.picture, canvas.parentElement.clientWidth);
  canvas.parentElement.style.height = heightOf(picture) + 'px';
  const [placesId, valuesId] = picture.horizontal ? ['y', 'x'] : ['x', 'y'];
  const one = picture.series.length > 1 || picture.shades.length > 0;
  const datasets = picture.series.flatMap((series, i) => datasetsOf(picture, series, i));
  const bars = picture.series.some(series => series.drawn === 'bars');
  const stacked = picture.series.some(series => series.stack !== '');
  const markOf = item => read(picture.series[item.dataset.series].marks[item.dataIndex]);
  const scales = {[placesId]: scaleOf(picture.at, true, picture),
                  [valuesId]: scaleOf(picture.value, false, picture)};
  if (stacked) scales[placesId].stacked = scales[valuesId].stacked = true;
  return new Chart(canvas, {
    type: 'line',
    data: {datasets},
    plugins: [kBackdrop, kNames],
    options: {
      entry, picture, scales, indexAxis: picture.horizontal ? 'y' : 'x',
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
