// Scenarios that come to every point of failure: creation, mapping, private copies, splits, moves, children; and what a
// surface goes through in a driver.

/** Memory management: private copies, splits, moves, children. */
export const everywhere = (failure: string): string => `scenario "every point"
${failure}
surface ring: buffer 4 pages coherent
surface other: buffer 1 page
process app {
  let p = map ring at 0x10000000 else noMap
  let c = map other private else noCopy
  thread render on cpu0 {
    repeat 2 as n {
      write p[n pages] = 1 else signal
      write c[0] = 2 else killed
    }
    submit { draw reads ring, draw reads other } as done[0] else refused
    if refused == 0 { wait done[0] }
    protect p[3 pages .. 4 pages] readonly else split
    remap p[2 pages .. 3 pages] at 0x40000000 as q else moved
    write p[1 page] = 3 else signal2
    fork child else alone
    submit { draw reads ring } as done[1] else refused2
    if refused2 == 0 { wait done[1] }
  }
}
process child forks app {
  thread run on cpu1 {
    read p[1 page] else signal
    exit
  }
}`;

/**
 * The driver: two submissions with their fences as handles, sync files and events, a fault that reads back, an
 * eviction, a stay in the memory of the device, and all of it again. What was not refused must be seen: the contract,
 * and the assertion for who has seen no error.
 */
export const journey = (
  kernel: string,
  failures: readonly string[],
): string => `scenario "a surface's life"
machine { kernel ${kernel}, tracking mkwrite, vram 4 pages }
${failures.join('\n')}
surface target: buffer 4 pages coherent
surface other: buffer 1 page coherent
process app {
  let p = map target else noMap
  thread render on cpu0 {
    repeat 2 as n {
      write p[0] = 10 * n + 1 else lost
      submit { draw reads target } as read[n] exported else refused
      if refused == 0 { wait read[n] }
      submit { draw writes target[1 page .. 2 pages] = 10 * n + 2, draw reads other } as written[n] else refused2
      if refused2 == 0 {
        wait written[n] event else noEvent
        if noEvent != 0 { wait written[n] }
        read p[1 page] as x else killed
        assert killed != 0 or x == 10 * n + 2
      }
      evict target else busy
      pin target in vram else noVram
      pin other in vram_or_gmr else noGmr
      if noVram == 0 {
        read p[1 page] else killed3
        unpin target in vram
      }
      if noGmr == 0 { unpin other in vram_or_gmr }
    }
    submit { draw reads target, draw reads other } as last else refused3
    if refused3 == 0 { wait last }
    read p[0] else killed2
  }
}`;

/** Fences go out of the kernel, one alone and all that guard an object, and come in. */
export const exporting = (kernel: string, failures: readonly string[]): string => `scenario "fences"
machine { kernel ${kernel} }
${failures.join('\n')}
surface shared: buffer 1 page coherent
surface other: buffer 1 page coherent
process app {
  thread use on cpu0 {
    repeat 2 as n {
      submit { draw writes shared = 9 } as written[n] exported else refused
      submit { draw reads other } as looked[n] exported else refused2
      attach looked[n] to shared else noFence
      export shared as all[n] else noFile
      if noFile == 0 { poll all[n] as over }
    }
  }
}`;

/** What is bound to a context: over submissions, a sleep of the machine, and the end of a surface. */
export const binding = (kernel: string, failures: readonly string[]): string => `scenario "bindings"
machine { kernel ${kernel} }
${failures.join('\n')}
surface target: buffer 4 pages coherent
surface points: buffer 1 page coherent
process app {
  let p = map target else noMap
  thread render on cpu0 {
    repeat 2 as n {
      submit { bind target[0 .. 2 pages] target, bind target storage 1, bind points vertices, draw bound = n + 1 } as drawn[n] else refused
      if refused == 0 {
        wait drawn[n]
        read p[0] as x else killed
        assert killed != 0 or x == n + 1
      }
      suspend else busy
      resume
      submit { draw bound = n + 7 } as again[n] else refused2
      if refused == 0 and refused2 == 0 {
        wait again[n]
        read p[1 page] as y else killed2
        assert killed2 != 0 or y == n + 7
      }
    }
    destroy points else gone
    submit { unbind target, unbind storage 1, draw reads target } as last else refused3
    if refused3 == 0 { wait last }
    destroy target else gone2
  }
}`;
