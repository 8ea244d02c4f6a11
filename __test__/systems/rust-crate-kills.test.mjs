// A worker of the Rust crate `task` and one of this class on one file, killed in turn while both
// are at work. Each has two places, and four runs may be live in all: so when four are, each worker
// has two of them, and whoever is killed was in the middle of its own.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../../index.mjs'
import { rustProgram } from '../../scripts/steps.mjs'

const KILLS = 20
const LIMITS = { many: 3, one: 1 }
const PLACES = 2
const worker = await rustProgram('examples/worker')
const programs = {
  rust: file => [worker, file],
  node: file => [
    process.execPath,
    fileURLToPath(new URL('rust-crate/worker.mjs', import.meta.url)),
    file,
  ],
}

/** A worker; `live` has the runs that are live for certain: those that it told and may not end. */
class Worker {
  live = new Map()

  constructor(kind, file, heard) {
    const [program, ...words] = programs[kind](file)
    this.kind = kind
    this.process = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.exit = once(this.process, 'exit')
    createInterface({ input: this.process.stdout }).on('line', line => {
      const [word, operation, uuid] = line.split(' ')
      if (word === 'began') this.live.set(uuid, operation)
      heard(this, word)
    })
  }

  go() {
    this.live.clear()
    this.process.stdin.write('go\n')
  }

  async kill() {
    this.live.clear()
    this.process.kill('SIGKILL')
    const [, signal] = await this.exit
    assert.equal(signal, 'SIGKILL', `the ${this.kind} worker had ended by itself`)
  }
}

/** The workers that are there, what they hold between them, and a wait for that. */
class Pair {
  workers = { rust: undefined, node: undefined }
  faults = []
  #heard = () => {}

  constructor(file) {
    this.file = file
  }

  async start(kind) {
    const ready = new Promise(resolve => {
      this.workers[kind] = new Worker(kind, this.file, (worker, word) => {
        if (word === 'ready') resolve()
        this.check(worker)
        this.#heard()
      })
    })
    const { process: child } = this.workers[kind]
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the ${kind} worker ended with ${code} before it was ready`)
    })
    await Promise.race([ready, ended])
    ended.catch(() => {})
  }

  get live() {
    return Object.values(this.workers).flatMap(worker => [...(worker?.live ?? [])])
  }

  /** No operation has more runs than it may, no task two, and no worker more than it has places. */
  check({ kind, live }) {
    const uuids = this.live.map(([uuid]) => uuid)
    if (new Set(uuids).size < uuids.length) this.faults.push(`a task runs twice: ${uuids}`)
    if (live.size > PLACES) this.faults.push(`${live.size} run in ${kind}`)
    for (const [operation, limit] of Object.entries(LIMITS)) {
      const runs = this.live.filter(([, name]) => name === operation).length
      if (runs > limit) this.faults.push(`${runs} of ${operation} run at once`)
    }
  }

  /** Until both have all that they can have. */
  full() {
    return new Promise(resolve => {
      this.#heard = () => {
        if (this.live.length >= 2 * PLACES) resolve()
      }
      this.#heard()
    })
  }
}

const TEST = 'a Rust and a Node worker, killed in turn, lose nothing and double nothing'

test(TEST, { timeout: 600_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-rust-'))
  const file = join(folder, 'tasks.db')
  const tasker = new Tasker(file)
  const pair = new Pair(file)
  t.after(async () => {
    for (const worker of Object.values(pair.workers)) worker?.process.kill('SIGKILL')
    await tasker.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const rounds = Array.from({ length: KILLS })
  const uuids = await tasker.addTasks(
    rounds.flatMap(() => ['many', 'many', 'many', 'one'].map(operation => ({ operation }))),
  )
  await Promise.all([pair.start('rust'), pair.start('node')])
  for (const n of rounds.keys()) {
    await pair.full()
    const kind = n % 2 === 0 ? 'rust' : 'node'
    await pair.workers[kind].kill()
    await pair.start(kind)
    // The two that were lost run again, and only who came anew has places for them.
    await pair.full()
    for (const worker of Object.values(pair.workers)) worker.go()
  }
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(pair.faults, [])

  const count = by => results.filter(result => result.by === by).length
  assert.deepEqual([count('rust'), count('node')], [2 * KILLS, 2 * KILLS])
  const attempts = results.reduce((sum, { attempt }) => sum + attempt, 0)
  assert.equal(attempts, uuids.length + PLACES * KILLS, 'each kill has cost two runs')
  const tasks = await tasker.findTasks({}, { sort: { seq: 1 } })
  assert.deepEqual(
    tasks.map(({ uuid, status }) => [uuid, status]),
    uuids.map(uuid => [uuid, 'done']),
  )
  for (const worker of Object.values(pair.workers)) {
    worker.process.stdin.end()
    assert.deepEqual(await worker.exit, [0, null], worker.kind)
  }
})
