// Where a function of the emulated kernel stands in somebody's own kernel tree. Versions differ in lines and
// sometimes in files, so functions are found by name.

/** Folders in which the kernel files of a listing's folder are looked for besides: headers of the same subject. */
export const besides: Readonly<Record<string, readonly string[]>> = {
  mm: ['include/linux'],
  'arch/x86/mm': ['arch/x86/include/asm'],
  'drivers/dma-buf': ['include/linux'],
  'drivers/gpu/drm/ttm': ['include/drm/ttm', 'include/drm'],
  kernel: ['include/linux'],
};

/**
 * The line, counted from 0, on which the definition of a function begins that has this name, or undefined. C as the
 * kernel is written: a definition begins at the start of a line and has its body behind its arguments, and macros that
 * define functions (`SYSCALL_DEFINE2(name, …)`) or stand for them (`#define name(…)`) count; calls and declarations do
 * not.
 */
export function functionLine(text: string, name: string): number | undefined {
  const found = new RegExp(`\\b${name}\\b`, 'g');
  for (let match = found.exec(text); match !== null; match = found.exec(text)) {
    const begin = text.lastIndexOf('\n', match.index) + 1;
    const before = text.slice(begin, match.index);
    const at = () => text.slice(0, begin).split('\n').length - 1;
    if (/^#\s*define\s+$/.test(before) || /^\w*DEFINE\w*\($/.test(before)) return at();
    const isType = /^(?:[a-z_][\w\s*]*)?$/i.test(before); // from the start of the line: no call, no comment
    const close =
      isType && text[found.lastIndex] === '(' ? closing(text, found.lastIndex) : undefined;
    // Behind the arguments the body, perhaps attributes before it.
    if (close !== undefined && /^[^;={}]*\{/.test(text.slice(close + 1, close + 200))) return at();
  }
  return undefined;
}

/** Where the parenthesis that opens at `open` is closed. */
function closing(text: string, open: number): number | undefined {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return undefined;
}
