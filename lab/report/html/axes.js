'use strict';
// The axes of a picture (page.h): what stands at their ticks, how long they are, and which values
// they leave out at first.

/** The value of a CSS variable, so that colours stand in report.css alone. */
function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
}

function number(x) {
  if (x === null || x === undefined) return '–';
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return x.toExponential(2);
  return String(Number(size < 1 ? x.toFixed(4) : x.toPrecision(5)));
}

/** Long names in lines of at most `width` characters. */
function wrapped(text, width) {
  const lines = [''];
  for (const word of text.split(/(?<=[ ,_:@])/)) {
    if (lines[lines.length - 1] && (lines[lines.length - 1] + word.trimEnd()).length > width) lines.push('');
    lines[lines.length - 1] += word;
  }
  return lines.map(line => line.trim());
}

/** As wrapped(), but no more lines than there is room for; a tooltip has the whole name. */
function shortened(text, width, most) {
  const lines = wrapped(text, width).map(line => (line.length > width ? line.slice(0, width - 1) + '…' : line));
  return lines.length <= most ? lines : [...lines.slice(0, most - 1), lines[most - 1].slice(0, width - 1) + '…'];
}

/** Named places: the first, the last, and the least distance of two. */
function spanOf(axis) {
  const places = axis.ticks.map(tick => tick[0]).sort((a, b) => a - b);
  const gaps = places.slice(1).map((place, i) => place - places[i]);
  return {places, first: places[0], last: places[places.length - 1], gap: gaps.length > 0 ? Math.min(...gaps) : 1};
}

const kCharacter = 7;  // pixels, at most

function narrow() { return window.innerWidth < 640; }  // as in report.css

/** Characters of a line of the name of a row. */
function rowWidth() { return narrow() ? 14 : 28; }

/** The picture as a canvas of this width can show it: places below each other if their names do
    not fit beside each other. */
function fitted(picture, width) {
  if (picture.horizontal || picture.at.ticks.length === 0) return picture;
  const {first, last, gap} = spanOf(picture.at);
  const characters = Math.floor((width - 80) * gap / (last - first + gap) / kCharacter) - 1;
  const fits = ([, name]) => {
    const lines = wrapped(name, Math.min(18, characters));
    return lines.length <= 3 && lines.every(line => line.length <= characters);
  };
  return picture.at.ticks.every(fits) ? {...picture, characters: Math.min(18, characters)}
                                      : {...picture, horizontal: true};
}

/** Where the axis of values ends at first, and how many values lie above; null: nowhere. Rare high
    values, as those of the first steps, would leave no height for all others. Left out is what lies
    more than twice as far from the lowest value as nine tenths of the values, and never the
    last value of a series. */
function trimOf(picture) {
  if (!picture.value.trim) return null;
  const marks = picture.series.map(series => series.marks.map(read).filter(m => m.value !== null));
  const values = marks.flat().map(m => m.value).sort((a, b) => a - b);
  if (values.length < 10) return null;
  const low = values[0], reach = low + 2 * (values[Math.floor(0.9 * (values.length - 1))] - low);
  const last = marks.filter(m => m.length > 0).map(m => m[m.length - 1]).map(m => Math.max(m.value, m.hi ?? m.value));
  const highest = Math.max(...values.filter(value => value <= reach), ...last);
  const to = highest + 0.04 * (highest - low);  // so that a point at the end is whole
  const above = values.filter(value => value > to).length;
  return above === 0 ? null : {to, above};
}

/** Ticks of a logarithmic axis: powers of ten, or 1, 2, 5 times them if there are few. */
function logTicks(scale) {
  const [from, to] = [Math.floor(Math.log10(scale.min)), Math.ceil(Math.log10(scale.max))];
  const factors = Math.log10(scale.max / scale.min) < 2 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = from; power <= to; ++power)
    for (const factor of factors) ticks.push({value: Number(`${factor}e${power}`)});
  return ticks.filter(tick => tick.value >= scale.min && tick.value <= scale.max);
}

function scaleOf(axis, isPlaces, picture) {
  const scale = {type: axis.log ? 'logarithmic' : 'linear', grid: {color: css('grid')}, border: {color: css('line')},
                 title: {display: axis.label !== '', color: css('soft'),
                         text: wrapped(axis.label, narrow() || !isPlaces && !picture.horizontal ? 34 : 50)},
                 // An axis that is cut ends at no round number, which would stand on the one below it.
                 ticks: {color: css('soft'), maxRotation: 0, autoSkipPadding: 12, includeBounds: false}};
  if (axis.log) {
    scale.afterBuildTicks = built => { built.ticks = logTicks(built); };
    scale.ticks.callback = value => number(value);
  }
  if (!isPlaces) {
    scale.beginAtZero = picture.series.some(series => series.drawn === 'bars');
    scale.grace = '4%';
    const known = [...picture.shades.flatMap(shade => [shade.from, shade.to]), ...(picture.rule === null ? [] : [picture.rule])];
    if (known.length > 0) [scale.suggestedMin, scale.suggestedMax] = [Math.min(...known), Math.max(...known)];
    return scale;
  }
  scale.reverse = picture.horizontal;
  if (axis.ticks.length === 0) return scale;
  const {places, first, last, gap} = spanOf(axis);
  scale.min = first - 0.5 * gap;
  scale.max = last + 0.5 * gap;
  scale.grid.display = false;
  scale.afterBuildTicks = built => {
    built.ticks = places.filter(value => value >= built.min && value <= built.max).map(value => ({value}));
  };
  scale.ticks.autoSkip = false;
  scale.ticks.callback = value => {
    const name = (axis.ticks.find(tick => tick[0] === value) ?? [0, ''])[1];
    return picture.horizontal ? shortened(name, rowWidth(), narrow() ? 3 : 2) : wrapped(name, picture.characters);
  };
  return scale;
}
