// The timer of the warnings, which fires when a test says so. To be imported before tasker.

import timers from 'node:timers'

const { setTimeout } = timers
const LOOK_MS = 1_000
const due = []

timers.setTimeout = (call, ms, ...args) => {
  if (ms === LOOK_MS) due.push(call)
  return setTimeout(call, ms === LOOK_MS ? 2 ** 30 : ms, ...args)
}

/** Lets the time of each timer be over that is set now. */
export const look = () => {
  for (const call of due.splice(0)) call()
}
