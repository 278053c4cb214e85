/* The console's one script. Every page works without it: it replaces what a page would load whole,
   and follows a proof in the browser. No third party, nothing from outside. */

// ---- SHA-256 (FIPS 180-4); crypto.subtle does not exist on plain http --------------------

const K = (() => {
  const found = [];
  for (let n = 2; found.length < 64; n++) {
    if (![...Array(n).keys()].slice(2).some((d) => n % d === 0)) found.push(Math.cbrt(n) % 1);
  }
  return Uint32Array.from(found, (f) => f * 2 ** 32);
})();
const START = [2, 3, 5, 7, 11, 13, 17, 19].map((p) => ((Math.sqrt(p) % 1) * 2 ** 32) >>> 0);

export function sha256(bytes) {
  const length = bytes.length;
  const padded = new Uint8Array(((length + 72) >> 6) << 6);
  padded.set(bytes);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(padded.length - 4, length << 3);
  const h = Uint32Array.from(START);
  const w = new Uint32Array(64);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3))
        + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, last] = h;
    for (let i = 0; i < 64; i++) {
      const one = (last + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [last, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, last].forEach((value, i) => { h[i] += value; });
  }
  const made = new DataView(new ArrayBuffer(32));
  h.forEach((value, i) => made.setUint32(4 * i, value));
  return new Uint8Array(made.buffer);
}

// ---- proofs: RFC 9162, 2.1.3.2 -----------------------------------------------------------

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from(text.match(/../g) || [], (two) => parseInt(two, 16));
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

/* The steps from a leaf to the root, and whether they lead to the root that was given. */
export function follow({ index, size, leaf, path, root }) {
  const data = Uint8Array.from(atob(leaf), (c) => c.charCodeAt(0));
  let node = sha256(joined([0], data)), at = index, last = size - 1;
  const steps = [{ node: hex(node) }];
  for (const text of path) {
    if (last === 0) return { steps, right: false };
    const sibling = unhex(text), left = at % 2 === 1 || at === last;
    node = sha256(left ? joined([1], sibling, node) : joined([1], node, sibling));
    steps.push({ sibling: text, left, node: hex(node) });
    while (left && at && at % 2 === 0) { at /= 2; last = Math.floor(last / 2); }
    at = Math.floor(at / 2); last = Math.floor(last / 2);
  }
  return { steps, right: last === 0 && hex(node) === root };
}

const make = (name, text, kind) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

async function verify(button) {
  const place = document.getElementById(button.dataset.steps), words = place.dataset;
  const tag = (kind, text) => {
    const line = make('p'), made = make('span', '', `tag ${kind}`);
    made.append(make('i'), text);
    line.append(made);
    return line;
  };
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.proof);
    if (!answer.ok) throw new Error(answer.status);
    const proof = await answer.json();
    const { steps, right } = follow(proof);
    const list = make('ol', '', 'steps');
    list.tabIndex = 0;
    for (const { sibling, left, node } of steps) {
      const line = make('li', `${sibling ? (left ? words.left : words.right) : words.leaf} `);
      if (sibling) line.append(make('code', sibling), ' → ');
      line.append(make('code', node));
      list.append(line);
    }
    const end = make('li', `${words.root} `);
    end.append(make('code', proof.root));
    list.append(end);
    place.replaceChildren(tag(right ? 'done' : 'wrong', right ? words.done : words.wrong), list);
  } catch {
    place.replaceChildren(tag('wrong', words.failed));
  }
  button.disabled = false;
}

// ---- one page becomes another without being loaded whole ---------------------------------

let going = null, shown = location.pathname + location.search;

async function show(address, { push = true, focus = 'h1' } = {}) {
  going?.abort();
  const own = going = new AbortController();
  let answer, text;
  try {
    answer = await fetch(address, { signal: own.signal, headers: { Accept: 'text/html' } });
    if (!(answer.headers.get('content-type') || '').startsWith('text/html')) throw new Error('no page');
    text = await answer.text();
  } catch (error) {
    if (error.name !== 'AbortError') location.assign(address);
    return;
  }
  const page = new DOMParser().parseFromString(text, 'text/html');
  const sheet = (of) => of.querySelector('link[rel=stylesheet]')?.getAttribute('href');
  if (sheet(page) !== sheet(document) || !page.querySelector('.bar') || !document.querySelector('.bar')) {
    location.assign(answer.url);  // another version, or a page without the frame: load it whole
    return;
  }
  const hash = new URL(address, location.href).hash, url = new URL(answer.url);
  if (push) history.pushState({}, '', url.pathname + url.search + hash);
  shown = url.pathname + url.search;
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  document.body.className = page.body.className;
  document.body.replaceChildren(...page.body.children);
  prepare();
  const at = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (at) at.scrollIntoView();
  else if (push) scrollTo(0, 0);
  const heading = focus && (document.querySelector(focus) || document.querySelector('h1'));
  if (heading) {
    if (heading.tabIndex < 0) heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  const again = parseInt(answer.headers.get('refresh'), 10);
  if (again) {
    setTimeout(() => own === going && show(address, { push: false, focus: null }), again * 1000);
  }
}

const isPage = (url) => url.origin === location.origin
  && !/\.(csv|xlsx|json|ics|svg|graphml)$|^\/(v1|static|docs)\b|\/evidence$/.test(url.pathname);

function follows(event) {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey
    || event.shiftKey || event.altKey || link.target || link.hasAttribute('download')) return;
  const url = new URL(link.href.baseVal ?? link.href, location.href);
  const samePage = url.pathname === location.pathname && url.search === location.search;
  if (!isPage(url) || (samePage && url.hash)) return;
  event.preventDefault();
  show(url.href);
}

function sends(event) {
  const form = event.target;
  if (form.method !== 'get' || form.target) {
    if (new URL(form.action).pathname === '/sign-out') sessionStorage.clear();
    return;
  }
  const url = new URL(form.getAttribute('action') || location.pathname, location.href);
  const fields = new FormData(form, event.submitter);
  for (const [name, value] of fields) if (value) url.searchParams.append(name, value);
  event.preventDefault();
  show(url.href);
}

// ---- the time track: handles that are dragged or moved by keys ----------------------------

const DAY = 86_400_000;
const months = (day, count) => {  // the same day of another month, or its last
  const wanted = day.getUTCDate();
  day.setUTCDate(1);
  day.setUTCMonth(day.getUTCMonth() + count + 1, 0);
  day.setUTCDate(Math.min(wanted, day.getUTCDate()));
};
const iso = (time) => new Date(time).toISOString().slice(0, 10);

function track(svg) {
  const { first, days, edge } = svg.dataset;
  if (!first) return;
  const begin = Date.parse(first), width = svg.viewBox.baseVal.width - 2 * edge;
  for (const handle of svg.querySelectorAll('[data-date]')) {
    const name = handle.dataset.date, field = document.getElementById(name);
    const read = () => Date.parse(handle.dataset.day);
    const start = read();
    let resting;
    Object.entries({
      role: 'slider', tabindex: 0, 'aria-label': handle.dataset.label, 'aria-valuemin': 0,
      'aria-valuemax': days, 'aria-valuenow': Math.round((start - begin) / DAY),
      'aria-valuetext': handle.dataset.day,
    }).forEach(([key, value]) => handle.setAttribute(key, value));
    const place = (time, wait) => {
      const day = Math.min(Math.max(time, begin), begin + days * DAY);
      const moved = ((day - start) / DAY / days) * width;
      handle.setAttribute('transform', `translate(${moved})`);
      handle.dataset.day = field.value = iso(day);
      handle.setAttribute('aria-valuetext', iso(day));
      handle.setAttribute('aria-valuenow', Math.round((day - begin) / DAY));
      clearTimeout(resting);
      resting = wait && setTimeout(() => {
        const url = new URL(location.href);
        url.searchParams.set(name, iso(day));
        url.searchParams.delete('cursor');
        show(url.href, { focus: `[data-date=${name}]` });
      }, 150);
    };
    handle.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -3, PageDown: 3 }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      const day = new Date(read());
      if (event.shiftKey || event.key.startsWith('Page')) months(day, step);
      else day.setUTCDate(day.getUTCDate() + step);
      event.preventDefault();
      event.stopPropagation();
      place(day.getTime(), true);
    });
    handle.addEventListener('pointerdown', (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      const scale = svg.viewBox.baseVal.width / svg.getBoundingClientRect().width;
      const from = event.clientX, day = read();
      const move = (now, wait) => place(
        day + Math.round(((now.clientX - from) * scale * days) / width) * DAY, wait,
      );
      handle.onpointermove = (now) => move(now, false);
      handle.onpointerup = (now) => { handle.onpointermove = handle.onpointerup = null; if (now.clientX !== from) move(now, true); };
    });
  }
}

// ---- keys ---------------------------------------------------------------------------------

let waiting = 0;

function row(step) {
  const rows = [...document.querySelectorAll('main tbody tr, main .timeline li, main .rows > *')]
    .map((line) => line.querySelector('a[href]')).filter((link) => link?.offsetParent);
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest('input, select, textarea, [contenteditable]')) return;
  const { key } = event, keys = document.getElementById('keys');
  if (keys?.open && key !== '?') return;
  const edge = { '[': ':first-child', ']': ':last-child' }[key];
  if (waiting && Date.now() < waiting) {
    waiting = 0;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`);
    if (!link) return;
    link.click();
  } else if (key === 'g') waiting = Date.now() + 1500;
  else if (key === 'j' || key === 'k') row(key === 'j' ? 1 : -1);
  else if (edge) document.querySelector(`.track > a${edge}`)?.click();
  else if (key === '/') {
    const field = document.querySelector('input[name=q]'), link = document.querySelector('nav a[href^="/search"]');
    if (field) field.focus(); else if (link) show(link.href, { focus: 'input[name=q]' });
  } else if (key === '?' && keys) keys.open ? keys.close() : keys.showModal();
  else return;
  event.preventDefault();
}

// ---- forms that are kept while a line is bad: no personal data is in them -----------------

function keep(form) {
  const place = `form ${location.pathname} ${form.id}`;
  const kept = JSON.parse(sessionStorage.getItem(place) || '{}');
  for (const field of form.elements) {
    const said = kept[field.name];
    if (said === undefined || field.type === 'hidden' || field.type === 'password') continue;
    if (field.type === 'radio' || field.type === 'checkbox') field.checked = said === field.value;
    else if (!field.value) field.value = said;
  }
  form.addEventListener('input', () => {
    const fields = [...new FormData(form)].filter(([name]) => form.elements[name].type !== 'password');
    sessionStorage.setItem(place, JSON.stringify(Object.fromEntries(fields)));
  });
}

// ---- a page is there ----------------------------------------------------------------------

function prepare() {
  for (const button of document.querySelectorAll('[data-proof], [data-print]')) button.hidden = false;
  document.querySelectorAll('.track svg').forEach(track);
  document.querySelectorAll('form[data-keep]').forEach(keep);
  for (const done of document.querySelectorAll('[data-forget]')) {
    Object.keys(sessionStorage).filter((key) => key.startsWith(`form ${done.dataset.forget}`))
      .forEach((key) => sessionStorage.removeItem(key));
  }
}

if (typeof document !== 'undefined') {
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('[data-proof], [data-print]');
    if (!button) follows(event);
    else if (button.dataset.proof) verify(button);
    else print();
  });
  document.addEventListener('submit', sends);
  document.addEventListener('keydown', pressed);
  addEventListener('popstate', () => {
    if (location.pathname + location.search !== shown) show(location.href, { push: false });
  });
  prepare();
}
