// The operations of the storm, for the workers and for the process that finishes their work.

import { openSync, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { marker } from './marks.mjs'

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Runners that append each of their runs to a file before they do anything, and mark in another one
 * when they begin and end. Each run waits for `begun` first.
 */
export function runnersOf(log, { marks, begun = () => {} } = {}) {
  const effects = openSync(log, 'a')
  const mark = marker(marks)
  const noted = work => async context => {
    const { uuid, runId, attempt, data, id, label, tags } = context
    writeSync(effects, `${JSON.stringify({ uuid, runId, attempt, id, label, tags })}\n`)
    mark('+', context)
    try {
      await begun()
      return await work(data)
    } finally {
      mark('-', context)
    }
  }
  const slow = noted(({ n }) => wait(1 + (n % 20), { n }))
  return {
    quick: noted(({ n }) => ({ n })),
    slow,
    limited: slow,
    held: noted(({ n }) => ({ n })),
    throwing: noted(({ n }) => {
      throw new Error(`storm ${n}`)
    }),
  }
}
