// The PTE grid of a buffer object: rows are pages, only those in view exist. Draws what the host sends (protocol's
// Grid decides what the cells say) and tells the host what was asked for; it holds no truth of its own.
import { type Cell, type Grid, gridOf, gridText, rowsText } from '../protocol/grid';
import type { FromGrid, GridState, ToGrid } from '../protocol/messages';

declare function acquireVsCodeApi(): {
  postMessage(message: FromGrid): void;
  getState(): GridState | undefined;
  setState(state: GridState): void;
};

const host = acquireVsCodeApi();
let state: GridState = host.getState() ?? { object: null, form: 'grid', row: 0, column: 0 };
let shown: { grid: Grid; message: ToGrid & { type: 'object' } } | undefined;
let serial = 0;
let widths: readonly number[] = [];
const changedWidth = 'PWUADs → PWUADs'.length;

/** An element with attributes and children. */
function make(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The page: what stays the same over all moments.

const chooser = make('select', { 'aria-label': 'Buffer object' }) as HTMLSelectElement;
const formButton = make('button', { type: 'button' }) as HTMLButtonElement;
const copyButton = make('button', { type: 'button' }, 'Copy Text') as HTMLButtonElement;
const nextButton = make('button', { type: 'button' }, 'Next Change') as HTMLButtonElement;
const live = make('p', { class: 'stop', role: 'status', 'aria-live': 'polite' });
const facts = make('dl', { class: 'facts' });
const head = make('div', { role: 'rowgroup', class: 'head' });
const above = make('div', { role: 'presentation' });
const body = make('div', { role: 'rowgroup' });
const below = make('div', { role: 'presentation' });
const gridElement = make('div', { role: 'grid', class: 'grid' }, head, above, body, below);
const detail = make('p', { class: 'detail', id: 'detail' });
const text = make('pre', { class: 'text', tabindex: '0', 'aria-label': 'PTE grid as text' });
const nothing = make('p', { class: 'nothing' });
const content = make(
  'main',
  {},
  make('header', {}, chooser, formButton, nextButton, copyButton),
  live,
  facts,
  gridElement,
  text,
  detail,
);
document.body.append(content, nothing);

// Drawing.

const overscan = 8; // rows drawn beyond either edge of the view

function show(message: ToGrid): void {
  if (message.serial < serial) return;
  serial = message.serial;
  content.hidden = message.type === 'nothing';
  nothing.hidden = message.type === 'object';
  if (message.type === 'nothing') {
    nothing.textContent = message.reason;
    shown = undefined;
    return;
  }
  const grid = gridOf(message.object, message.before);
  const another = message.object.id !== state.object;
  if (another || shown?.grid.columns.length !== grid.columns.length) widths = [];
  shown = { grid, message };
  keep({
    object: message.object.id,
    row: another ? 0 : Math.min(state.row, grid.rows - 1),
    column: Math.min(state.column, grid.columns.length - 1),
  });
  chooser.replaceChildren(
    ...message.objects.map(({ id, name }) => {
      const option = make('option', { value: id }, name) as HTMLOptionElement;
      option.selected = id === message.object.id;
      return option;
    }),
  );
  live.textContent = stopText(message, grid);
  facts.replaceChildren(
    ...grid.facts.map(({ name, value, was }) =>
      make(
        'div',
        was === null ? {} : { class: 'changed' },
        make('dt', {}, name),
        valueOf(value, was),
      ),
    ),
  );
  drawHead(grid);
  drawForm();
}

function stopText({ stop, time, before }: ToGrid & { type: 'object' }, grid: Grid): string {
  const where = `At step ${time}: ${stop}.`;
  if (before === null) return where;
  const { changedRows } = grid;
  if (changedRows.length === 0) return `${where} No page changed.`;
  const pages = changedRows.length === 1 ? 'Page' : 'Pages';
  return `${where} ${pages} changed: ${rowsText(changedRows)}.`;
}

function valueOf(value: string, was: string | null): HTMLElement {
  return was === null
    ? make('dd', {}, value)
    : make('dd', {}, make('del', {}, was), ' → ', make('ins', {}, value));
}

function drawHead(grid: Grid): void {
  gridElement.setAttribute('aria-rowcount', `${grid.rows + 1}`);
  gridElement.setAttribute('aria-colcount', `${grid.columns.length}`);
  gridElement.setAttribute('aria-label', `PTE grid of ${grid.title}`);
  gridElement.style.setProperty('--columns', columnWidths(grid));
  const cells = grid.columns.map(({ kind, title, hint }, i) =>
    make(
      'div',
      { role: 'columnheader', class: kind, title: hint, 'aria-colindex': `${i + 1}` },
      title,
    ),
  );
  head.replaceChildren(make('div', { role: 'row', class: 'row', 'aria-rowindex': '1' }, ...cells));
}

/** Widths in characters of the fixed font; a column never shrinks while one object is shown, so nothing jumps. */
function columnWidths(grid: Grid): string {
  const all = grid.columns.map(({ kind, width }, i) => {
    const arrow = kind === 'pte' ? changedWidth : 0;
    return Math.max(width, arrow, widths[i] ?? 0);
  });
  widths = all;
  const last = all.length - 1;
  return all
    .map((width, i) => `minmax(calc(${width}ch + 14px), ${i === last ? '1fr' : 'auto'})`)
    .join(' ');
}

function drawForm(): void {
  if (shown === undefined) return;
  const { grid, message } = shown;
  const asText = state.form === 'text';
  gridElement.hidden = asText;
  detail.hidden = asText;
  nextButton.hidden = asText || grid.changedRows.length === 0;
  text.hidden = !asText;
  formButton.textContent = asText ? 'Grid' : 'Text';
  formButton.title = asText ? 'Show as a grid' : 'Show as text';
  if (asText) text.textContent = gridText(grid, `at step ${message.time}: ${message.stop}`);
  else drawRows();
}

/** Height of a row in pixels, measured on one that is there. */
function rowHeight(): number {
  return head.getBoundingClientRect().height || 22;
}

function drawRows(): void {
  if (shown === undefined || state.form === 'text') return;
  const { grid } = shown;
  const height = rowHeight();
  const first = Math.max(0, Math.floor(gridElement.scrollTop / height) - overscan);
  const inView = Math.ceil(gridElement.clientHeight / height) + 2 * overscan;
  const last = Math.min(grid.rows, first + inView);
  above.style.height = `${first * height}px`;
  below.style.height = `${(grid.rows - last) * height}px`;
  const hadFocus = body.contains(document.activeElement);
  body.replaceChildren(...Array.from({ length: last - first }, (_, i) => drawRow(grid, first + i)));
  const focused = focusedCell();
  if (hadFocus) focused?.focus({ preventScroll: true });
  drawDetail();
}

function drawRow(grid: Grid, row: number): HTMLElement {
  const cells = grid.columns.map(({ kind }, column) =>
    drawCell(grid.cell(row, column), kind, row, column),
  );
  return make('div', { role: 'row', class: 'row', 'aria-rowindex': `${row + 2}` }, ...cells);
}

function drawCell(cell: Cell, kind: string, row: number, column: number): HTMLElement {
  const { text, was, mark, detail } = cell;
  const classes = [kind, mark, ...(was === null ? [] : ['changed'])].filter((name) => name !== '');
  const atFocus = row === state.row && column === state.column;
  const element = make('div', {
    role: kind === 'page' ? 'rowheader' : 'gridcell',
    class: classes.join(' '),
    'aria-colindex': `${column + 1}`,
    'aria-label': was === null ? detail : `${detail}; before: ${was || 'nothing'}`,
    tabindex: atFocus ? '0' : '-1',
    'data-row': `${row}`,
    'data-column': `${column}`,
  });
  if (was === null) element.append(text);
  else element.append(make('del', {}, was || 'none'), ' → ', make('ins', {}, text || 'none'));
  return element;
}

function drawDetail(): void {
  if (shown === undefined) return;
  const { grid } = shown;
  const { was, detail: words } = grid.cell(state.row, state.column);
  const page = grid.columns[state.column]?.kind === 'page' ? '' : `page ${state.row}, `;
  detail.textContent = `${page}${words}${was === null ? '' : `; before: ${was || 'nothing'}`}`;
}

const focusedCell = (): HTMLElement | null => body.querySelector('[tabindex="0"]');

// What the user does.

function keep(part: Partial<GridState>): void {
  state = { ...state, ...part };
  host.setState(state);
}

/** Moves the focus to a cell and scrolls it into view, clear of the header. */
function focusCell(row: number, column: number): void {
  if (shown === undefined) return;
  const { grid } = shown;
  keep({
    row: Math.max(0, Math.min(row, grid.rows - 1)),
    column: Math.max(0, Math.min(column, grid.columns.length - 1)),
  });
  const height = rowHeight();
  const top = state.row * height;
  const room = gridElement.clientHeight - 2 * height;
  if (top < gridElement.scrollTop) gridElement.scrollTop = top;
  else if (top > gridElement.scrollTop + room) gridElement.scrollTop = top - room;
  drawRows();
  const cell = focusedCell();
  cell?.focus({ preventScroll: true });
  cell?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** The cell that a key leads to, or undefined for other keys. */
function target({ key, ctrlKey, metaKey }: KeyboardEvent): [number, number] | undefined {
  if (shown === undefined) return undefined;
  const { rows, columns } = shown.grid;
  const { row, column } = state;
  const page = Math.max(1, Math.floor(gridElement.clientHeight / rowHeight()) - 2);
  const whole = ctrlKey || metaKey;
  switch (key) {
    case 'ArrowUp':
      return [row - 1, column];
    case 'ArrowDown':
      return [row + 1, column];
    case 'ArrowLeft':
      return [row, column - 1];
    case 'ArrowRight':
      return [row, column + 1];
    case 'PageUp':
      return [row - page, column];
    case 'PageDown':
      return [row + page, column];
    case 'Home':
      return whole ? [0, 0] : [row, 0];
    case 'End':
      return whole ? [rows - 1, columns.length - 1] : [row, columns.length - 1];
  }
  return undefined;
}

gridElement.addEventListener('keydown', (event) => {
  const to = target(event);
  if (to === undefined) return;
  event.preventDefault();
  focusCell(...to);
});
gridElement.addEventListener('click', ({ target: at }) => {
  const cell = (at as Element).closest<HTMLElement>('[data-row]');
  if (cell !== null) focusCell(Number(cell.dataset.row), Number(cell.dataset.column));
});
let drawing = 0;
const drawSoon = () => {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(drawRows);
};
gridElement.addEventListener('scroll', drawSoon);
new ResizeObserver(drawSoon).observe(gridElement);
chooser.addEventListener('change', () => {
  host.postMessage({ type: 'choose', serial, object: chooser.value });
});
formButton.addEventListener('click', () => {
  keep({ form: state.form === 'grid' ? 'text' : 'grid' });
  drawForm();
});
copyButton.addEventListener('click', () => {
  if (shown === undefined) return;
  const { time, stop } = shown.message;
  const copied = gridText(shown.grid, `at step ${time}: ${stop}`);
  host.postMessage({ type: 'copy', serial, text: copied });
});
nextButton.addEventListener('click', () => {
  if (shown === undefined) return;
  const { changedRows, columns, cell } = shown.grid;
  const row = changedRows.find((changed) => changed > state.row) ?? changedRows[0];
  if (row === undefined) return;
  focusCell(
    row,
    columns.findIndex((_, column) => cell(row, column).was !== null),
  );
});
window.addEventListener('message', ({ data }: MessageEvent<ToGrid>) => show(data));

content.hidden = true;
nothing.textContent = 'Waiting for the next stop.';
host.postMessage({ type: 'ready', serial, object: state.object });
