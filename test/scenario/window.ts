// The window of MKWRITE that the driver leaves open, as a scenario: a submission that comes between mkwrite and the entry
// takes the note of the page away.
export const windowOfMkwrite = `scenario "window"
machine { cpus 2, tracking mkwrite }
surface a: buffer 2 pages coherent
process app {
  let p = map a
  thread writer on cpu1 {
    submit { draw reads a[0 .. 1] } as first
    wait first
    write p[0 .. 4096] = 7
    submit { draw reads a } as last
    wait last
  }
  thread other on cpu0 {
    submit { draw reads a[4096 .. 4097] } as between
    wait between
  }
}`;
