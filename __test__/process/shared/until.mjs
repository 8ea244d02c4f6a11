// Waiting for what no event tells.

/** Turns the event loop until something is true. */
export async function until(isTrue) {
  while (!(await isTrue())) await new Promise(resolve => setImmediate(resolve))
}
