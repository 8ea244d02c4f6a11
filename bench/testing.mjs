// `npm run bench:testing`: 10,000 tasks that are due at 10,000 moments of a month, run by the clock
// of a test; beside as many that are due at once, and as many that are added one after the other:
// each of those is one commit and one way there and back, a moment is two commits and one. Fails if
// one runs early, or not at all. `--quick` does it with few, to see that everything still runs.

import { openTest } from '../testing.mjs'

const quick = process.argv.includes('--quick')
const n = quick ? 500 : 10_000
const ROUNDS = quick ? 1 : 3
const CALL = 500
const MONTH_MS = 30 * 86_400_000

/** Runs all in a test: how long the month takes, once they have been added. */
async function month(delayOf) {
  const { tasker, clock, close } = await openTest()
  const begin = clock.now().getTime()
  let ran = 0
  let early = 0
  tasker.assignRunner('a', ({ data }) => {
    ran += 1
    if (clock.now().getTime() - begin !== data.due) early += 1
  })
  await tasker.start()
  for (let from = 0; from < n; from += CALL) {
    const task = (_, i) => {
      const due = delayOf(from + i)
      return { operation: 'a', data: { due }, ...(due > 0 && { delay: due }) }
    }
    await tasker.addTasks(Array.from({ length: CALL }, task))
  }
  const from = performance.now()
  await clock.advance(MONTH_MS)
  const ms = performance.now() - from
  await close()
  if (ran !== n || early > 0) throw new Error(`${ran} of ${n} ran, ${early} not at their moment`)
  return ms
}

/** Adds as many, one after the other. */
async function adds() {
  const { tasker, close } = await openTest()
  const from = performance.now()
  for (let i = 0; i < n; i += 1) await tasker.addTask({ operation: 'a', data: { due: i } })
  const ms = performance.now() - from
  await close()
  return ms
}

const measured = {
  'a moment for each of them': () => month(i => Math.floor(((i + 1) * MONTH_MS) / n)),
  'all at one moment': () => month(() => MONTH_MS / 2),
  'added one after the other, none run': adds,
}

const number = value => value.toLocaleString('en', { maximumFractionDigits: 0 })
const best = {}
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, measure] of Object.entries(measured)) {
    best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, await measure())
  }
}
process.stdout.write(`a month with ${number(n)} tasks, the best of ${ROUNDS}\n`)
for (const [name, ms] of Object.entries(best)) {
  process.stdout.write(`${name.padEnd(56)}${`${number(ms)} ms`.padStart(16)}\n`)
}
process.stdout.write(
  `${'goal: a moment for each of 10,000'.padEnd(56)}${'≤ 1,000 ms'.padStart(16)}\n`,
)
