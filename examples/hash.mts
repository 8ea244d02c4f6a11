// The runner of threads.mts: each of its tasks runs in a worker thread.
//
// A thread computes as long as it wants. Now and then it lets its event loop turn, at a checkpoint:
// there it hears of an abort, and a pause takes effect.

import { createHash } from 'node:crypto'
import type { Runner } from 'tasker'
import type { Operations } from './threads.mjs'

const ROUNDS_AT_ONCE = 10_000

export default (async ({ data, progress, checkpoint }) => {
  let hash = data.text
  for (let round = 0; round < data.rounds; round += 1) {
    if (round % ROUNDS_AT_ONCE === 0) {
      progress(round, data.rounds, 'rounds')
      await checkpoint()
    }
    hash = createHash('sha256').update(hash).digest('hex')
  }
  // As a library does that never comes back.
  while (data.isStuck);
  return hash
}) satisfies Runner<Operations, 'hash'>
