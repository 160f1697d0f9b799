'use strict';

// The page holds the pictures of one view in order, and draws the tiles in sight only.
const byId = (id) => document.getElementById(id);
const grid = byId('grid');
const space = byId('space');

const state = {version: -1, classes: [], total: 0, trashed: 0, undos: 0, redos: 0};
let items = [];               // of the view, in order
let at = 0;                   // index of the picture the keyboard is at
let anchor = 0;               // where a range selection began
const selected = new Set();   // numbers of pictures
const tiles = new Map();      // number of a picture -> its tile
let columns = 1, tileWidth = 1, tileHeight = 1;
let loading = 0;              // counts requests for a view, so that only the newest is shown
let reloading = null;

const view = () => {
  const chosen = byId('class').value;
  return {
    class: chosen.startsWith('class:') ? chosen.slice(6) : '',
    trash: chosen === 'trash',
    sort: byId('sort').value,
    filter: byId('filter').value,
  };
};

async function ask(path, body) {
  const response = await fetch(path, body === undefined ? {} :
    {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  if (response.status === 401) throw new Error('This page has lost its token: open the address that orrery clean printed.');
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error || response.statusText);
  return reply;
}

function say(words) { byId('status').textContent = words; }

const count = (n) => n === 1 ? '1 picture' : n + ' pictures';

// ---- what is around the grid

function option(value, text) {
  const o = document.createElement('option');
  o.value = value;
  o.textContent = text;
  return o;
}

// offer gives a select other options, where they are others: new elements would close the list that someone has open.
function offer(list, options) {
  const same = options.length === list.options.length &&
    options.every((o, i) => o.value === list.options[i].value && o.textContent === list.options[i].textContent);
  if (!same) list.replaceChildren(...options);
}

function showState(news) {
  if (news.version < state.version) return;  // an answer that a later message has overtaken
  Object.assign(state, news);
  const name = state.set.split(/[\\/]/).filter(Boolean).pop() || state.set;
  byId('title').textContent = 'Cleaning ' + name + ': ' + count(state.total);
  document.title = 'Cleaning ' + name;
  const classes = byId('class');
  const chosen = classes.value || 'all';
  const options = [option('all', 'All (' + state.total + ')')];
  for (const c of state.classes) options.push(option('class:' + c.name, c.name + ' (' + c.count + ')'));
  options.push(option('trash', 'Trash (' + state.trashed + ')'));
  const gone = !options.some((o) => o.value === chosen);
  if (gone) options.splice(1, 0, option(chosen, chosen.slice(6) + ' (0)'));
  offer(classes, options);
  classes.value = chosen;
  const move = byId('move'), target = move.value;
  offer(move, [option('', 'a class…'), ...state.classes.map((c) => option('class:' + c.name, c.name)), option('new', 'New class…')]);
  move.value = target;
  if (move.selectedIndex < 0) move.value = '';
  for (const o of document.querySelectorAll('[data-needs-predictions]')) o.hidden = o.disabled = !state.predictions;
  showButtons();
  showMeasured();
}

// busy tells whether pictures are still being measured, and shown to the network.
const busy = () => [state.measured < state.pictures, state.asked < state.to_ask];

// reloadWhenDone sorts anew once all is known that was still being found out.
function reloadWhenDone(wasBusy) {
  if (busy().some((now, i) => wasBusy[i] && !now)) reloadSoon();
}

function showMeasured() {
  const [measuring, asking] = busy();
  const words = [];
  if (measuring) words.push('Reading pictures: ' + state.measured + ' of ' + state.pictures);
  if (asking) words.push('Asking the network: ' + state.asked + ' of ' + state.to_ask);
  byId('measured').textContent = words.join('. ');
}

function showButtons() {
  const v = view();
  const some = selected.size > 0 || items.length > 0;
  byId('selected').textContent = selected.size + ' selected';
  byId('trash').hidden = v.trash;
  byId('restore').hidden = !v.trash;
  byId('trash').disabled = byId('restore').disabled = byId('move').disabled = !some;
  byId('move-go').disabled = !some || byId('move').value === '';
  byId('none').disabled = selected.size === 0;
  byId('all').disabled = items.length === 0;
  byId('extras').hidden = v.sort !== 'near-duplicates' && v.filter !== 'near-duplicates';
  byId('rename').disabled = v.class === '';
  for (const [id, steps, what] of [['undo', state.undos, state.undo], ['redo', state.redos, state.redo]]) {
    const button = byId(id);
    button.disabled = !steps;
    button.title = steps ? what : '';
  }
}

// ---- the view

async function load(keep) {
  const mine = ++loading;
  const v = view();
  const query = new URLSearchParams({class: v.class, sort: v.sort, filter: v.filter});
  if (v.trash) query.set('trash', '1');
  try {
    const reply = await ask('/api/view?' + query);
    if (mine !== loading) return;
    const here = items[at] && items[at].id;
    items = reply.items;
    const shown = new Set(items.map((i) => i.id));
    for (const id of [...selected]) if (!shown.has(id)) selected.delete(id);
    if (!keep) {
      selected.clear();
      at = anchor = 0;
      grid.scrollTop = 0;
    } else {
      const found = items.findIndex((i) => i.id === here);
      at = found >= 0 ? found : Math.max(0, Math.min(at, items.length - 1));
      anchor = at;
    }
    for (const tile of tiles.values()) tile.remove();
    tiles.clear();
    lay();
    showButtons();
  } catch (error) {
    say(error.message);
  }
}

function reloadSoon() {
  clearTimeout(reloading);
  reloading = setTimeout(() => load(true), 120);
}

// follow brings the view up to date with changes of places, made here or in another tab.
function follow(changes) {
  const v = view();
  const known = new Map(items.map((item, index) => [item.id, index]));
  const leaving = new Set();
  let entering = false;
  for (const change of changes) {
    const shows = change.file !== '' && change.trashed === v.trash && (v.class === '' || v.class === change.class);
    const index = known.get(change.id);
    if (index === undefined) {
      entering = entering || shows;
    } else if (shows) {
      Object.assign(items[index], change);
      const tile = tiles.get(change.id);
      if (tile) fill(tile, items[index]);
    } else {
      leaving.add(change.id);
    }
  }
  if (leaving.size) {
    const before = items.slice(0, at).filter((i) => leaving.has(i.id)).length;
    items = items.filter((i) => !leaving.has(i.id));
    for (const id of leaving) selected.delete(id);
    at = Math.max(0, Math.min(at - before, items.length - 1));
    anchor = Math.min(anchor, at);
    lay();
    if (v.sort === 'near-duplicates' || v.filter === 'near-duplicates') reloadSoon();
  }
  if (entering || v.filter === 'predicted-otherwise' || v.sort === 'highest-loss') reloadSoon();
  showButtons();
}

// ---- the grid

function lay() {
  const gap = 6;
  const width = grid.clientWidth - gap;
  const wanted = Number(byId('size').value);
  columns = Math.max(1, Math.floor(width / (wanted + gap)));
  tileWidth = Math.floor(width / columns);
  tileHeight = Math.floor(tileWidth * 0.8) + 44;
  const rows = Math.ceil(items.length / columns);
  space.style.height = rows * tileHeight + gap + 'px';
  byId('empty').hidden = items.length > 0;
  draw();
}

const sizeOf = (bytes) => bytes >= 1e6 ? (bytes / 1e6).toFixed(1) + ' MB' : Math.max(1, Math.round(bytes / 1e3)) + ' kB';
const shapeOf = (item) => item.width ? item.width + '×' + item.height : 'size unknown';
const nameOf = (item) => item.file.split('/').pop();

function newTile(item) {
  const tile = document.createElement('div');
  tile.className = 'tile';
  tile.id = 'picture-' + item.id;
  tile.setAttribute('role', 'option');
  const picture = document.createElement('img');
  picture.alt = '';
  picture.decoding = 'async';
  picture.draggable = false;
  const name = document.createElement('div');
  name.className = 'name';
  const facts = document.createElement('div');
  facts.className = 'facts';
  const check = document.createElement('div');
  check.className = 'check';
  check.textContent = '✓';
  check.setAttribute('aria-hidden', 'true');  // aria-selected says it
  tile.append(picture, name, facts, check);
  fill(tile, item);
  return tile;
}

function fill(tile, item) {
  const [, name, facts] = tile.children;
  name.textContent = nameOf(item);
  const words = [shapeOf(item), sizeOf(item.bytes)];
  if (view().class === '') words.unshift(item.class);
  if (item.group) words.unshift('set ' + item.group);
  if (item.predicted) words.unshift('→ ' + item.predicted + (item.probability ? ' ' + Math.round(item.probability * 100) + ' %' : ''));
  if (item.bad) words.unshift('unreadable');
  facts.textContent = words.join(' · ');
  facts.classList.toggle('wrong', Boolean(item.bad || (item.predicted && item.predicted !== item.class)));
  tile.title = [item.file, item.bad, item.title, item.author, item.source, item.license].filter(Boolean).join('\n');
}

// While the grid flies past, tiles stay empty: loading what is gone a moment later would hold up what stays.
let flewAt = 0, lastTop = 0, landing = null;
function loadThumbnails() {
  const moved = Math.abs(grid.scrollTop - lastTop);
  lastTop = grid.scrollTop;
  if (moved > grid.clientHeight / 3) flewAt = performance.now();
  clearTimeout(landing);
  if (performance.now() - flewAt < 90) {
    landing = setTimeout(loadThumbnails, 100);
    return;
  }
  for (const [id, tile] of tiles) {
    if (!tile.firstChild.hasAttribute('src')) tile.firstChild.src = '/thumbnail/' + id;
  }
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; draw(); });
}

function draw() {
  const height = grid.clientHeight || 1;
  const firstRow = Math.max(0, Math.floor(grid.scrollTop / tileHeight) - 1);
  const lastRow = Math.ceil((grid.scrollTop + height) / tileHeight) + 1;
  const wanted = new Map();
  for (let i = firstRow * columns; i < Math.min(items.length, lastRow * columns); i++) wanted.set(items[i].id, i);
  if (items[at]) wanted.set(items[at].id, at);  // aria-activedescendant must exist
  for (const [id, tile] of tiles) {
    if (!wanted.has(id)) {
      tile.firstChild.removeAttribute('src');  // ends a request that nobody waits for any more
      tile.remove();
      tiles.delete(id);
    }
  }
  for (const [id, index] of wanted) {
    let tile = tiles.get(id);
    if (!tile) {
      tile = newTile(items[index]);
      tiles.set(id, tile);
      space.append(tile);
    }
    const row = Math.floor(index / columns);
    tile.style.width = tileWidth - 6 + 'px';
    tile.style.height = tileHeight - 6 + 'px';
    tile.style.transform = 'translate(' + ((index % columns) * tileWidth + 6) + 'px,' + (row * tileHeight + 6) + 'px)';
    tile.setAttribute('aria-setsize', items.length);
    tile.setAttribute('aria-posinset', index + 1);
    tile.setAttribute('aria-selected', selected.has(id));
    tile.classList.toggle('at', index === at);
  }
  loadThumbnails();
  if (items[at]) grid.setAttribute('aria-activedescendant', 'picture-' + items[at].id);
  else grid.removeAttribute('aria-activedescendant');
  const pages = Math.max(1, Math.ceil(items.length / perPage()));
  const page = grid.scrollTop + height >= grid.scrollHeight - 2 ? pages : Math.min(pages, Math.floor(grid.scrollTop / (rowsInSight() * tileHeight) + 0.5) + 1);
  byId('page').textContent = items.length ? page + ' / ' + pages : '0 / 0';
  byId('first').disabled = byId('previous').disabled = grid.scrollTop <= 1;
  byId('last').disabled = byId('next').disabled = grid.scrollTop + height >= grid.scrollHeight - 2;
}

const rowsInSight = () => Math.max(1, Math.floor(grid.clientHeight / tileHeight));
const perPage = () => rowsInSight() * columns;

function turn(pages) {
  const page = rowsInSight() * tileHeight;
  grid.scrollTop = (Math.round(grid.scrollTop / page) + pages) * page;
  draw();
}

function reveal(index) {
  const top = Math.floor(index / columns) * tileHeight;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + tileHeight + 6 > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + tileHeight + 6 - grid.clientHeight;
}

function go(index, extend) {
  if (!items.length) return;
  at = Math.max(0, Math.min(index, items.length - 1));
  if (extend) select(anchor, at, true);
  else anchor = at;
  reveal(at);
  draw();
}

function select(from, to, on) {
  for (let i = Math.min(from, to); i <= Math.max(from, to) && i < items.length; i++) {
    if (on) selected.add(items[i].id);
    else selected.delete(items[i].id);
  }
  showButtons();
  drawSoon();
}

function toggle(index) {
  select(index, index, !selected.has(items[index].id));
}

const indexOf = (tile) => {
  const id = Number(tile.id.slice(8));
  return items.findIndex((i) => i.id === id);
};

// ---- steps

// targets are the pictures an action means: the selected ones, or else the one the keyboard is at.
function targets() {
  if (selected.size) return items.filter((i) => selected.has(i.id)).map((i) => i.id);
  return items[at] ? [items[at].id] : [];
}

async function step(body) {
  try {
    const reply = await ask('/api/step', body);
    const words = [reply.moved ? reply.what : 'nothing to do'];
    if (reply.skipped) words.push('left out: ' + reply.skipped.join('; '));
    say(words.join('. '));
    return true;
  } catch (error) {
    say(error.message);
    return false;
  }
}

function act(what, to) {
  const ids = targets();
  if (!ids.length) return Promise.resolve(false);
  return step({do: what, ids, to});
}

function question(title, label, value, answer) {
  const dialog = byId('ask'), input = byId('ask-name');
  byId('ask-title').textContent = title;
  byId('ask-label').textContent = label;
  byId('ask-error').textContent = '';
  input.value = value;
  byId('ask-ok').onclick = async () => {
    const name = input.value.trim();
    if (name === '') {
      byId('ask-error').textContent = 'Type a name.';
    } else if (await answer(name)) {
      dialog.close();
      grid.focus();
    } else {
      byId('ask-error').textContent = byId('status').textContent;
    }
  };
  dialog.showModal();
  input.select();
}

async function renameClass() {
  const from = view().class;
  if (!from) return;
  question('Rename the class ' + from, 'New name', from, async (to) => {
    const classes = byId('class');
    if (!await step({do: 'rename', class: from, to})) return false;
    if (![...classes.options].some((o) => o.value === 'class:' + to)) classes.append(option('class:' + to, to));
    classes.value = 'class:' + to;
    await load();
    return true;
  });
}

// moveChosen does not act as soon as a class is chosen: with the keyboard, one passes others on the way to it.
function moveChosen() {
  const value = byId('move').value;
  if (value === 'new') question('Move to a new class', 'Its name', '', (name) => act('move', name));
  else if (value) act('move', value.slice(6)).then(() => grid.focus());
}

// selectExtras selects all pictures of each set of near duplicates but the largest.
function selectExtras() {
  const best = new Map();
  for (const item of items) {
    const other = best.get(item.group);
    if (item.group && (!other || item.width * item.height > other.width * other.height)) best.set(item.group, item);
  }
  selected.clear();
  for (const item of items) if (item.group && best.get(item.group) !== item) selected.add(item.id);
  showButtons();
  draw();
  say('selected ' + count(selected.size) + ': the largest of each set stays');
}

// ---- one picture, large

function fact(list, term, text, link) {
  if (!text) return;
  const dt = document.createElement('dt'), dd = document.createElement('dd');
  dt.textContent = term;
  if (link && /^https?:\/\//.test(link)) {
    const a = document.createElement('a');
    a.href = link;
    a.rel = 'noreferrer noopener';
    a.target = '_blank';
    a.textContent = text;
    dd.append(a);
  } else {
    dd.textContent = text;
  }
  list.append(dt, dd);
}

function showLarge() {
  const item = items[at];
  const dialog = byId('large');
  if (!item) {
    dialog.close();
    return;
  }
  byId('large-name').textContent = item.file;
  const picture = byId('large-picture');
  picture.src = '/picture/' + item.id;
  picture.alt = 'Picture ' + (at + 1) + ' of ' + items.length + ', class ' + item.class;
  const facts = byId('large-facts');
  facts.replaceChildren();
  fact(facts, 'Class', item.class);
  fact(facts, 'Size', shapeOf(item) + ', ' + sizeOf(item.bytes));
  fact(facts, 'Unreadable', item.bad);
  fact(facts, 'Predicted', item.predicted && item.predicted + (item.probability ? ', ' + (item.probability * 100).toFixed(1) + ' %' : ''));
  fact(facts, 'Loss', item.loss && item.loss.toFixed(3));
  fact(facts, 'Title', item.title, item.page);
  fact(facts, 'Author', item.author);
  fact(facts, 'Source', item.source, item.page);
  fact(facts, 'Licence', item.license, item.license_url);
  byId('large-select').textContent = selected.has(item.id) ? 'Unselect' : 'Select';
  byId('large-trash').textContent = view().trash ? 'Restore' : 'Trash';
  byId('large-previous').disabled = at === 0;
  byId('large-next').disabled = at >= items.length - 1;
  if (!dialog.open) dialog.showModal();
}

async function trashLarge() {
  await step({do: view().trash ? 'restore' : 'trash', ids: [items[at].id]});
}

// ---- keys, clicks

function undo() { return step({do: 'undo'}); }
function redo() { return step({do: 'redo'}); }

grid.addEventListener('keydown', (event) => {
  const ctrl = event.ctrlKey || event.metaKey;
  const moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -perPage(), PageDown: perPage(),
    Home: -items.length, End: items.length};
  if (event.altKey) return;
  if (event.key in moves) {
    const far = moves[event.key];
    if (!(Math.abs(far) === columns && (at + far < 0 || at + far >= items.length) && far < 0)) go(at + far, event.shiftKey);
  } else if (ctrl && event.key.toLowerCase() === 'a') {
    select(0, items.length - 1, true);
  } else if (ctrl) {
    return;
  } else if (event.key === ' ') {
    if (items[at]) toggle(at);
    anchor = at;
  } else if (event.key === 'Enter') {
    showLarge();
  } else if (event.key === 'Delete' || event.key === 'Backspace' || event.key === 'x') {
    if (!view().trash) act('trash');
  } else if (event.key === 'r') {
    if (view().trash) act('restore');
  } else if (event.key === 'm') {
    byId('move').focus();
  } else if (event.key === 'Escape') {
    selected.clear();
    showButtons();
    draw();
  } else if (event.key >= '1' && event.key <= '9') {
    const c = state.classes[Number(event.key) - 1];
    if (c) act('move', c.name);
  } else {
    return;
  }
  event.preventDefault();
});

document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('input');
  const ctrl = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (typing) return;
  if (ctrl && key === 'z') (event.shiftKey ? redo : undo)();
  else if (ctrl && key === 'y') redo();
  else if (!ctrl && !event.altKey && key === 'u' && !event.target.matches('select')) undo();
  else if (!ctrl && key === '?') byId('keys').showModal();
  else return;
  event.preventDefault();
});

grid.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (!tile) return;
  const index = indexOf(tile);
  if (index < 0) return;
  at = index;
  if (event.shiftKey) {
    select(anchor, index, true);
  } else {
    toggle(index);
    anchor = index;
  }
  draw();
});
grid.addEventListener('dblclick', (event) => {
  const tile = event.target.closest('.tile');
  if (!tile || event.shiftKey) return;
  at = indexOf(tile);
  if (at >= 0) showLarge();  // the two clicks have selected and unselected it
});
grid.addEventListener('scroll', drawSoon, {passive: true});
new ResizeObserver(() => {
  const top = items.length ? Math.floor(grid.scrollTop / tileHeight) * columns : 0;
  lay();
  if (top) grid.scrollTop = Math.floor(top / columns) * tileHeight;
}).observe(grid);

for (const id of ['class', 'sort', 'filter']) byId(id).addEventListener('change', () => load());
byId('size').addEventListener('change', () => { lay(); reveal(at); draw(); });
const clicks = {
  first: () => { grid.scrollTop = 0; }, last: () => { grid.scrollTop = grid.scrollHeight; },
  previous: () => turn(-1), next: () => turn(1),
  all: () => select(0, items.length - 1, true),
  none: () => { selected.clear(); showButtons(); draw(); },
  extras: selectExtras, trash: () => act('trash'), restore: () => act('restore'),
  'move-go': moveChosen, undo, redo, rename: renameClass, help: () => byId('keys').showModal(),
  'keys-close': () => byId('keys').close(), 'ask-cancel': () => byId('ask').close(), 'large-close': () => byId('large').close(),
  'large-previous': () => { go(at - 1); showLarge(); }, 'large-next': () => { go(at + 1); showLarge(); },
  'large-select': () => { toggle(at); showLarge(); }, 'large-trash': trashLarge,
};
for (const [id, click] of Object.entries(clicks)) byId(id).addEventListener('click', click);
byId('move').addEventListener('change', showButtons);
byId('move').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  moveChosen();
});
byId('ask-name').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') { event.preventDefault(); byId('ask-ok').click(); }
});
byId('large').addEventListener('keydown', (event) => {
  if (event.key === 'ArrowLeft' && at > 0) go(at - 1);
  else if (event.key === 'ArrowRight' && at < items.length - 1) go(at + 1);
  else if (event.key === 'Delete' || event.key === 'x') trashLarge();
  else if (event.key === ' ' && !event.target.matches('button')) toggle(at);
  else return;
  event.preventDefault();
  showLarge();
});
byId('large').addEventListener('close', () => { byId('large-picture').removeAttribute('src'); grid.focus(); });

// ---- news from the server

function listen() {
  const events = new EventSource('/api/events');
  let opened = false;
  events.onopen = async () => {  // from here on nothing is missed; before, something may have been
    const wasBusy = busy(), version = state.version;
    if (opened) state.version = -1;  // a server started anew counts from the beginning
    showState(await ask('/api/state'));
    if (opened || version !== state.version) load(true);
    else reloadWhenDone(wasBusy);
    if (opened) say('connected again');
    opened = true;
  };
  events.onerror = () => say('The connection to orrery clean is gone. Is it still running?');
  events.onmessage = (event) => {
    const news = JSON.parse(event.data);
    const wasBusy = busy();
    if (news.state) {
      const missed = state.version >= 0 && news.state.version > state.version + 1;
      showState(news.state);
      if (news.changes) follow(news.changes);
      if (missed) reloadSoon();
      if (byId('large').open) showLarge();
    } else if (news.trouble) {
      say('The network did not look at the pictures: ' + news.trouble);
    } else {
      Object.assign(state, news);
      showMeasured();
    }
    reloadWhenDone(wasBusy);
  };
}

(async () => {
  history.replaceState(null, '', '/');  // the token is in a cookie now; keep it out of sight
  try {
    showState(await ask('/api/state'));
    await load();
    listen();
    grid.focus();
  } catch (error) {
    say(error.message);
  }
})();
