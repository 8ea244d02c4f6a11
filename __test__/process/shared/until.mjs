// Waiting for what no event tells.

import assert from 'node:assert/strict'

const PATIENCE_MS = 10_000

/** Turns the event loop until something is true, within bounds. */
export async function until(isTrue) {
  const begin = performance.now()
  while (!(await isTrue())) {
    assert.ok(performance.now() - begin < PATIENCE_MS, `never: ${isTrue}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}
