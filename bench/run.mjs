// `npm run bench`: tasker beside its own ceiling (sketch/) and beside plainjob, in one run.
// Each measurement has a process of its own; rounds are interleaved; the table shows medians.
// `--quick` measures once with little, to see that everything still runs.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { buildLibrary } from '../scripts/build.mjs'
import { npm, root, say, withHeaders } from '../scripts/steps.mjs'
import { median, scenarios } from './scenarios.mjs'

const here = join(root, 'bench')
const quick = process.argv.includes('--quick')
const rounds = quick ? 1 : 3

/** Builds the sketch and installs the peers; a peer that cannot be installed is left out. */
async function prepare() {
  const place = join(here, 'sketch/sketch.node')
  await buildLibrary('sketch', place, [
    '--manifest-path',
    join(here, 'sketch/Cargo.toml'),
    '--target-dir',
    process.env.CARGO_TARGET_DIR ?? join(root, 'target'),
  ])
  return ['tasker', 'sketch', ...((await installPeers()) ? ['plainjob'] : [])]
}

async function installPeers() {
  if (existsSync(join(here, 'node_modules/better-sqlite3/build/Release'))) return true
  say('installing the peers into bench/node_modules; better-sqlite3 may be compiled: a minute')
  const installed = npm(['ci', '--no-audit', '--no-fund'], { cwd: here, env: withHeaders() })
  const error = await installed.then(
    () => undefined,
    fault => fault,
  )
  if (error) say(`plainjob is left out: ${error.message}`)
  return !error
}

function measure(peer, { scenario, n, slow, window }) {
  const size = peer === 'plainjob' ? slow : n
  const few = Math.max(Math.min(size, 1000), size / 20)
  const options = JSON.stringify({ n: quick ? few : size, window })
  const args = [join(here, 'measure.mjs'), peer, scenario, options]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 })
  if (child.status !== 0) throw new Error(`${peer}, ${scenario}: ${child.stderr || child.error}`)
  return JSON.parse(child.stdout).value
}

/** Rows of all the values, round by round, so that a slow minute meets everyone. */
function measureAll(peers) {
  const rows = scenarios.map(each => ({ ...each, values: peers.map(() => []) }))
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`)
    for (const row of rows) {
      for (const [i, peer] of peers.entries()) row.values[i].push(measure(peer, row))
    }
  }
  return rows.map(row => ({ ...row, medians: row.values.map(median) }))
}

const show = (value, unit) =>
  value === undefined ? '' : `${Math.round(value).toLocaleString('en')} ${unit}`

function line({ name, medians: [ours, sketch, plainjob], unit = '/s' }) {
  const cells = [
    show(ours, unit),
    show(sketch, unit),
    `${((ours / sketch) * 100).toFixed(0)} %`,
    show(plainjob, unit),
    plainjob === undefined ? '' : `${(ours / plainjob).toFixed(1)} ×`,
  ]
  return name.padEnd(28) + cells.map(cell => cell.padStart(12)).join('')
}

function print(rows) {
  const head = ['tasker', 'sketch', 'of sketch', 'plainjob', 'to plainjob']
  const title = ''.padEnd(28) + head.map(cell => cell.padStart(12)).join('')
  const note = `medians of ${rounds} (rates: more is better; times: less is better)
tasker and the sketch sync each commit; plainjob does not`
  process.stdout.write(`\n${[title, ...rows.map(line), '', note].join('\n')}\n`)
}

function save(rows) {
  const git = spawnSync('git', ['log', '-1', '--format=%h'], { cwd: root, encoding: 'utf8' })
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length }
  const report = {
    date: new Date().toISOString(),
    commit: git.stdout?.trim(),
    ...machine,
    quick,
    rows,
  }
  mkdirSync(join(here, 'results'), { recursive: true })
  const file = join(here, 'results', `${report.date.replaceAll(':', '-')}.json`)
  writeFileSync(file, JSON.stringify(report, undefined, 2))
}

const rows = measureAll(await prepare())
print(rows)
save(rows)
