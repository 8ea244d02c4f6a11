// Fake timers, ticks and clocks of test tools: they are the user's, and reach nothing in here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, imports, runs } from '../contract/open.mjs'
import { sqliteName } from '../contract/sqlite.mjs'

const open = {
  'better-sqlite3': `import Database from 'better-sqlite3'\nconst db = new Database(':memory:')\n`,
  'node:sqlite': `import { DatabaseSync as Database } from 'node:sqlite'
    const db = new Database(':memory:')
  `,
}[sqliteName]

/** What a tasker is used for in a test of a user; more than one drain takes. */
const use = `
  async function use(tasker, n, table) {
    const uuids = await tasker.addTasks(
      Array.from({ length: n }, (_, data) => ({ operation: 'echo', data })))
    const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    const outbox = tasker.outbox(db, { table })
    const key = outbox.addTask({ operation: 'echo', data: 'row' })
    await outbox.flush()
    results.push(await tasker.waitForTaskOutputData(await outbox.uuidOf(key)))
    const never = await tasker.addTask({ operation: 'never' })
    const late = await tasker.waitForTaskOutputData(never, { timeout: 1 }).catch(error => error)
    console.log(results.length, await tasker.countTasks({ status: 'done' }), late.code)
  }
  const runner = ({ data, logger, progress }) => {
    logger.info('echo', { data })
    progress(1, 2)
    return data
  }
`

/** Every global that a tool may fake, with a stand-in that does nothing, or worse. */
const byHand = `
  import timers from 'node:timers'
  import timersPromises from 'node:timers/promises'
  const names = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate',
    'clearImmediate']
  const spots = [
    ...names.flatMap(name => [[globalThis, name], [timers, name]]),
    [globalThis, 'queueMicrotask'], [process, 'nextTick'], [performance, 'now'],
    [Date, 'now'], [globalThis, 'performance'], [globalThis, 'Date'],
    [JSON, 'parse'], [JSON, 'stringify'], [globalThis, 'JSON'],
  ]
  const real = spots.map(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name) ?? name)
  const fake = value => () =>
    spots.forEach(([owner, name]) =>
      Object.defineProperty(owner, name, { value, configurable: true, writable: true }))
  const restore = () =>
    spots.forEach(([owner, name], i) =>
      real[i] === name ? delete owner[name] : Object.defineProperty(owner, name, real[i]))
`

const fakes = {
  'fakes that do nothing': { setup: byHand, begin: 'fake(() => {})()', end: 'restore()' },
  'fakes that give an object': { setup: byHand, begin: 'fake(() => ({}))()', end: 'restore()' },
  'fakes that throw': {
    setup: byHand,
    begin: "fake(() => { throw new Error('fake') })()",
    end: 'restore()',
  },
  'mock.timers of node:test': {
    setup: "import { mock } from 'node:test'\n",
    begin: 'mock.timers.enable()',
    end: 'mock.timers.reset()',
  },
}

for (const [name, { setup, begin, end }] of Object.entries(fakes)) {
  test(`under ${name}, and when they are gone, all goes on (I-15)`, async () => {
    // What a fake replaces is a user's as well: the script takes its own before.
    const script = `${imports}${open}${setup}${use}
      const { log } = console
      const later = []
      console.log = (...words) => later.push(words.join(' '))
      const tasker = new Tasker({ store: ${JSON.stringify(file())}, concurrency: 3000 })
      tasker.assignRunner('echo', runner)
      tasker.on('task.log', () => {})
      await tasker.start()
      ${begin}
      await use(tasker, 2000)
      const opened = new Tasker({ store: ':memory:', runners: { echo: runner } })
      await opened.start()
      ${end}
      await use(tasker, 2000)
      await use(opened, 10, 'another')
      await opened.close()
      await tasker.close()
      log(later.join('\\n'))
    `
    const out = await runs(script)
    const lines = [`2001 2001 TASKER_TIMEOUT`, `2001 4002 TASKER_TIMEOUT`, `11 11 TASKER_TIMEOUT`]
    assert.equal(out.trim(), lines.join('\n'))
  })
}

test('a clock that gives nonsense gives a wrong time, no more (B-4)', async () => {
  const clocks = [
    'undefined',
    'NaN',
    'Infinity',
    '-1',
    '8.64e15',
    "'now'",
    'new Date()',
    '1.5',
    '{}',
  ]
  for (const value of clocks) {
    const before = `const now = Date.now\nDate.now = () => (${value})\n`
    const script = `${before}
      const { Tasker } = await import('./index.mjs')
      const { default: Library } = await import('${sqliteName}')
      const Database = Library.DatabaseSync ?? Library
      const db = new Database(':memory:')
      ${use}
      const tasker = new Tasker({ store: ':memory:', runners: { echo: runner } })
      tasker.on('error', error => console.log(error))
      await tasker.start()
      await use(tasker, 10)
      Date.now = now
      await use(tasker, 10)
      await tasker.close()
    `
    const out = await runs(script)
    assert.equal(out, '11 11 TASKER_TIMEOUT\n11 22 TASKER_TIMEOUT\n', value)
  }
})
