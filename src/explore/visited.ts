// The set of states a search has been in: their 64-bit hashes in one flat table with open addressing, each with the
// least number of switches that it was reached with.

const cellsEach = 3; // low lane, high lane, switches plus 1; 0: free

export class Visited {
  private table = new Int32Array(cellsEach << 12);
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Notes a state; false when it was reached before with as few switches, so that nothing new lies behind it. */
  add(lo: number, hi: number, switches: number): boolean {
    if (this.count * cellsEach * 2 > this.table.length) this.grow();
    const at = this.find(this.table, lo, hi);
    const known = this.table[at + 2]!;
    if (known !== 0 && known <= switches + 1) return false;
    if (known === 0) this.count++;
    this.table[at] = lo;
    this.table[at + 1] = hi;
    this.table[at + 2] = switches + 1;
    return true;
  }

  /** Where the state stands, or the free place for it. */
  private find(table: Int32Array, lo: number, hi: number): number {
    const places = table.length / cellsEach; // a power of two
    for (let place = (lo ^ Math.imul(hi, 0x9e3779b1)) & (places - 1); ; ) {
      const at = place * cellsEach;
      if (table[at + 2] === 0 || (table[at] === lo && table[at + 1] === hi)) return at;
      place = (place + 1) & (places - 1);
    }
  }

  private grow(): void {
    const larger = new Int32Array(this.table.length * 2);
    for (let at = 0; at < this.table.length; at += cellsEach) {
      if (this.table[at + 2] === 0) continue;
      const to = this.find(larger, this.table[at]!, this.table[at + 1]!);
      for (let i = 0; i < cellsEach; i++) larger[to + i] = this.table[at + i]!;
    }
    this.table = larger;
  }
}
