// What the benches share: timing, best of several runs, and one table each.

/** Nanoseconds for each of the `count` things that `run` does: the best of `runs`, after one to warm up. */
export function nanoseconds(
  count: number,
  run: () => void,
  prepare: () => void = () => {},
  runs = 5,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= runs; i++) {
    prepare();
    const start = performance.now();
    run();
    const elapsed = performance.now() - start;
    if (i > 0) best = Math.min(best, elapsed);
  }
  return (best * 1e6) / count;
}

/** Prints rows under a title; the first row is the head, the first column stands left. */
export function table(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  console.log(`\n${title}\n`);
  for (const row of rows) {
    const cells = row.map((text, i) =>
      i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!),
    );
    console.log(`  ${cells.join('   ').trimEnd()}`);
  }
}
