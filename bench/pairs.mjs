// `npm run bench:pairs -- OTHER`: this checkout beside another one that is built, such as the
// commit before a change. Each measurement has a process of its own; the two alternate, so that a
// slow minute meets both. Prints the median of the ratios of the pairs: of the rates, and of the
// CPU time per task, of all threads, which a busy machine blurs less. Above 1 is better in both.
// `--rounds n` (9), `--only text` for the rows whose name contains it.

import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { root, say } from '../scripts/steps.mjs'
import { median, scenarios } from './scenarios.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '9' }, only: { type: 'string', default: '' } },
})
const [other] = positionals
if (!other) {
  say('usage: npm run bench:pairs -- OTHER_CHECKOUT [--rounds 9] [--only TEXT]')
  process.exit(2)
}

const sides = [resolve(other), root]

function measure(side, { scenario, n, window }) {
  const options = JSON.stringify({ n, window, checkout: side })
  const args = [join(root, 'bench/measure.mjs'), 'tasker', scenario, options]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 300_000 })
  if (child.status !== 0) throw new Error(`${side}, ${scenario}: ${child.stderr || child.error}`)
  return JSON.parse(child.stdout)
}

/** One pair; who goes first alternates. */
function pair(row, round) {
  const order = round % 2 === 0 ? sides : sides.toReversed()
  const found = new Map(order.map(side => [side, measure(side, row)]))
  const [before, after] = sides.map(side => found.get(side))
  const cpu = before.cpu / after.cpu
  const [from, to] = [before.value, after.value]
  // More is better in the ratio, also for a time.
  return { before: from, after: to, ratio: row.unit === 'µs' ? from / to : to / from, cpu }
}

const show = (value, unit = '/s') => `${Math.round(value).toLocaleString('en')} ${unit}`
const rounds = Number(values.rounds)

process.stdout.write(
  `${'median of pairs'.padEnd(28)}       before        after    ratio      CPU\n`,
)
for (const row of scenarios.filter(({ name }) => name.includes(values.only))) {
  const pairs = Array.from({ length: rounds }, (_, round) => pair(row, round))
  const middle = key => median(pairs.map(each => each[key]))
  const cells = [show(middle('before'), row.unit), show(middle('after'), row.unit)]
  const line = cells.map(cell => cell.padStart(13)).join('')
  const ratios = ['ratio', 'cpu'].map(key => middle(key).toFixed(2).padStart(9)).join('')
  process.stdout.write(`${row.name.padEnd(28)}${line}${ratios}\n`)
}
